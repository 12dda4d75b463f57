// LIBSYNC_TEST_FULL=1: the long form of the tests that measure over time.

export const kFull = process.env["LIBSYNC_TEST_FULL"] === "1";
