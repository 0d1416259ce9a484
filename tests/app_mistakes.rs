//! Mistakes in a web application that the compiler finds, and its messages. `TRYBUILD=overwrite`
//! accepts new messages.

#[test]
fn mistakes_are_named_in_words_that_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("../../tests/app_mistakes/*.rs");
}
