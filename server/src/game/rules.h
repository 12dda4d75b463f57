// rules.h: what players may do. Each function does it all, or refuses with a reason for people and changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "game/action_request.h"
#include "game/bodies.h"
#include "game/player.h"
#include "libsync/result.h"

namespace libsync::server {

// Puts a body on a circular orbit around what attracts it most; the player pays. Gives its id.
// Errors: kActionRefused.
Result<std::uint32_t> create_body(Bodies& bodies, Player& player, const CreateBodyRequest& request,
                                  std::uint64_t now_ms, std::size_t max_bodies);

// Errors: kActionRefused.
Result<bool> start_research(Player& player, std::uint16_t research, std::uint64_t now_ms);

}  // namespace libsync::server
