//! Typical mistakes do not compile, and the compiler says in our words what to do.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("mistakes/cases/*.rs");
}
