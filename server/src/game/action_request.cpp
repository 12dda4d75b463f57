#include "game/action_request.h"

namespace libsync::server {
namespace {

namespace fb = world::action;

Error malformed(const char* what) { return {ErrorCode::kActionMalformed, what}; }

Bytes encode_outcome(std::uint32_t body_id, std::uint64_t saved_tick) {
  flatbuffers::FlatBufferBuilder builder(64);
  builder.Finish(fb::CreateActionOutcome(builder, body_id, saved_tick));
  const auto* data = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {data, data + builder.GetSize()};
}

}  // namespace

Result<ActionRequest> decode_action(BytesView payload) {
  if (payload.size() > kMaxActionBytes) return malformed("the action is longer than 4096 bytes");
  // A copy, because a payload inside a message lies at any address and the accessors want their alignment.
  const Bytes aligned(payload.begin(), payload.end());
  const auto* data = reinterpret_cast<const std::uint8_t*>(aligned.data());
  // An action is two tables deep. The small bounds also bound the verifier's work.
  flatbuffers::Verifier verifier(data, aligned.size(), /*max_depth=*/8, /*max_tables=*/8);
  if (!verifier.VerifyBuffer<fb::PlayerAction>(nullptr)) return malformed("the payload is not a PlayerAction");

  const auto& action = *flatbuffers::GetRoot<fb::PlayerAction>(data);
  // The verifier lets a body of an unknown type pass unseen; only these three are looked at.
  switch (action.body_type()) {
    case fb::ActionBody::CreateCelestialBody: {
      const auto& create = *action.body_as_CreateCelestialBody();
      const auto& position = *create.position();
      CreateBodyRequest request;
      request.body_type = create.body_type();
      request.position = {position.x(), position.y(), position.z()};
      if (create.name() != nullptr) request.name = create.name()->str();
      return ActionRequest(std::move(request));
    }
    case fb::ActionBody::StartResearch:
      return ActionRequest(ResearchRequest{action.body_as_StartResearch()->research()});
    case fb::ActionBody::SaveGame: return ActionRequest(SaveRequest{});
    case fb::ActionBody::NONE: break;
  }
  return malformed("no action of this game");
}

Bytes encode_body_created(std::uint32_t body_id) { return encode_outcome(body_id, 0); }
Bytes encode_save_asked(std::uint64_t saved_tick) { return encode_outcome(0, saved_tick); }

}  // namespace libsync::server
