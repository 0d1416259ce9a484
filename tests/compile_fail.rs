//! Mistakes in a graph that the compiler finds, and what it says of them. `TRYBUILD=overwrite` accepts new words.

#[test]
fn mistakes_are_named_in_the_words_of_the_project() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
