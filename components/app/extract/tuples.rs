//! Several parts at once.

use std::sync::Arc;

use super::Extract;
use crate::Problem;
use crate::context::Context;

macro_rules! tuples {
    ($($part:ident)*) => {
        impl<S, $($part: Extract<S>),*> Extract<S> for ($($part,)*) {
            async fn extract(
                _context: &mut Context,
                _state: &Arc<S>,
            ) -> Result<Self, Problem> {
                Ok(($($part::extract(_context, _state).await?,)*))
            }
        }
    };
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
