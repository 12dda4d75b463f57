#include "libsync/message.h"

#include <cstring>
#include <string>
#include <utility>

namespace libsync {
namespace {

// Envelope, message, its parts, and two tables for each topic of a Subscribe or an Ack.
std::uint32_t max_tables(const Limits& limits) { return 8 + 4 * limits.max_topics; }
constexpr std::uint32_t kMaxDepth = 8;

Error malformed(const char* detail) { return Error{ErrorCode::kMalformed, std::string("message: ") + detail}; }

}  // namespace

SharedBytes encode_message(Sequence sequence, protocol::MessageUnion message) {
  protocol::EnvelopeT envelope;
  envelope.sequence = sequence.value;
  envelope.message = std::move(message);
  flatbuffers::FlatBufferBuilder builder(256);
  protocol::FinishEnvelopeBuffer(builder, protocol::Envelope::Pack(builder, &envelope));
  const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return std::make_shared<Bytes>(begin, begin + builder.GetSize());
}

Result<std::unique_ptr<protocol::EnvelopeT>> decode_message(BytesView message, const Limits& limits) {
  if (message.size() > limits.max_message_bytes) return Error{ErrorCode::kMessageTooBig, "message: above the limit"};
  // The root offset and the identifier; the verifier itself assumes they are there.
  if (message.size() < 8) return malformed("too short");
  const auto* data = reinterpret_cast<const std::uint8_t*>(message.data());
  if (!protocol::EnvelopeBufferHasIdentifier(data)) return malformed("no identifier");
  flatbuffers::Verifier verifier(data, message.size(), kMaxDepth, max_tables(limits));
  if (!protocol::VerifyEnvelopeBuffer(verifier)) return malformed("not an envelope");
  const protocol::Envelope* envelope = protocol::GetEnvelope(data);
  const auto type = static_cast<std::uint8_t>(envelope->message_type());
  if (type == 0) return malformed("no message");
  if (type > static_cast<std::uint8_t>(protocol::Message::MAX)) {
    return Error{ErrorCode::kUnknownMessage, "message: type " + std::to_string(type)};
  }
  return std::unique_ptr<protocol::EnvelopeT>(envelope->UnPack());
}

const char* name_of(ErrorCode code) {
  const char* name = protocol::EnumNameErrorCode(code);
  return name[0] == '\0' ? "unknown" : name;
}

const char* name_of(CloseCode code) {
  const char* name = protocol::EnumNameCloseCode(code);
  return name[0] == '\0' ? "unknown" : name;
}

}  // namespace libsync
