/* The smallest CGI program, so that a measurement shows the cost of the server. */
#include <unistd.h>

static const char answer[] = "Content-Type: text/plain\n\nHello, world!\n";

int main(void) {
    return write(1, answer, sizeof answer - 1) < 0;
}
