//! Mistakes in a graph that the compiler finds, and its messages. `TRYBUILD=overwrite` accepts new
//! messages.

#[test]
fn mistakes_are_named_in_the_words_of_the_project() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
