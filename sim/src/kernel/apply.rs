//! Carries out ops (being written).

use super::Kernel;
use crate::op::{Op, OpError, OpReply};
use crate::trace::Recorder;

impl<R: Recorder> Kernel<R> {
    /// Carries out one op.
    ///
    /// # Errors
    /// The errno and the sentence of the kernel.
    pub fn apply(&mut self, op: &Op) -> Result<OpReply, OpError> {
        let _ = op;
        Ok(OpReply::Done)
    }
}
