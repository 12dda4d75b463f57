// message.h: control messages <-> bytes. The one place that verifies FlatBuffers from outside.
// The values are the structs that flatc makes from schemas/protocol.fbs (HelloT, WelcomeT, ...).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "libsync/limits.h"
#include "libsync/protocol_generated.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

// A finished envelope around `message`.
SharedBytes encode_message(Sequence sequence, protocol::MessageUnion message);

template <typename MessageT>
SharedBytes encode_message(Sequence sequence, MessageT message) {
  protocol::MessageUnion value;
  value.Set(std::move(message));
  return encode_message(sequence, std::move(value));
}

// A verified, unpacked envelope. Work is bounded: size, depth and number of tables are checked first, because the
// FlatBuffers verifier alone takes quadratic time on shared children.
// Errors: kMessageTooBig, kMalformed, kUnknownMessage.
[[nodiscard]] Result<std::unique_ptr<protocol::EnvelopeT>> decode_message(BytesView message, const Limits& limits);

// Name of a code as in the schema ("kMalformed"), for logs.
const char* name_of(ErrorCode code);
const char* name_of(CloseCode code);

}  // namespace libsync
