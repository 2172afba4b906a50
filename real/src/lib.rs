//! The live kernel: replays a scenario on real network namespaces and compares. An empty room: nothing of it is built yet.
