// The public surface of @libsync/sdk, and nothing else.

export { CloseCode, ErrorCode } from "./generated/protocol_generated.js";
