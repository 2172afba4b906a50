//! The walk on the screen. An empty room: nothing of it is built yet.
