/* The least that a CGI program can do: what is measured beside it is what servers make of it. */
#include <unistd.h>

static const char answer[] = "Content-Type: text/plain\n\nHello, world!\n";

int main(void) {
    return write(1, answer, sizeof answer - 1) < 0;
}
