// genesis.h: how the games begin: plausible bodies, players, research and sentences.
#pragma once

#include <cstdint>
#include <string>

#include "model.h"
#include "random.h"

namespace libsync::traces {

struct Census {
  std::uint32_t bodies = 0;
  std::uint32_t players = 0;
  std::uint32_t items_per_player = 0;
  std::uint32_t research = 0;
  std::uint32_t events = 0;
  std::uint32_t chat_lines = 0;
};

// Such as "Kethara 17": 6 to 27 characters.
std::string make_name(Random& random);
// `words` words and a full stop.
std::string make_sentence(Random& random, int words);
// At rest or nearly so, at a random place. About a third have a shield, a quarter an owner; no value is at its default
// that is not absent for this body.
Body make_body(Random& random, std::uint32_t id);
Player make_player(Random& random, std::uint32_t id, std::uint32_t items);
Event make_event(Random& random, const World& world, std::uint32_t id);
ChatLine make_chat_line(Random& random, const World& world, std::uint32_t id);
// Bodies are sorted by id, with gaps between the ids.
World make_world(Random& random, const Census& census, Motion motion);

}  // namespace libsync::traces
