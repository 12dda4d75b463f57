// action_request.h: an action's payload, verified and copied out of the untrusted bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "game/bodies.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync::server {

inline constexpr std::size_t kMaxActionBytes = 4096;

struct CreateBodyRequest {
  BodyType body_type = BodyType::kStar;  // any number at all
  Vec3f position;                        // perhaps not finite
  std::string name;                      // any bytes
};
struct ResearchRequest {
  std::uint16_t research = 0;
};
struct SaveRequest {};
using ActionRequest = std::variant<CreateBodyRequest, ResearchRequest, SaveRequest>;

// Errors: kActionMalformed (too long, not a PlayerAction, or an action that this version does not know).
Result<ActionRequest> decode_action(BytesView payload);

// Answers, as finished world::action::ActionOutcome buffers.
Bytes encode_body_created(std::uint32_t body_id);
Bytes encode_save_asked(std::uint64_t saved_tick);

}  // namespace libsync::server
