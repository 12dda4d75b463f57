#include "scalars.h"

#include <algorithm>

namespace libsync::traces {

void change_scalars(Random& random, Body& body, int count) {
  std::uint32_t first = random.below(4);
  for (int i = 0; i < count; ++i, ++first) {
    switch (first % 4) {
      case 0: body.population += static_cast<std::uint32_t>(random.between(1, 400)); break;
      case 1: {
        const int hp = std::clamp(body.hp + random.step(12), 1, 99);
        body.hp = hp != body.hp ? hp : body.hp == 1 ? 2 : body.hp - 1;
        break;
      }
      case 2: body.temperature = std::max(1.0f, body.temperature + static_cast<float>(random.step(40)) / 16); break;
      default: body.resources[random.below(5)] += static_cast<std::uint32_t>(random.between(1, 300)); break;
    }
  }
}

}  // namespace libsync::traces
