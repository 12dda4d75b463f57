// session_fixture.h: one connection that is live and holds a topic.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "unit/session_pair.h"

namespace libsync::test {

inline Bytes state(int value, std::size_t size = 200) {
  Bytes bytes(size, std::byte{7});
  std::memcpy(bytes.data() + 40, &value, sizeof value);
  return bytes;
}

inline bool holds(const Connection& connection, const std::string& name, const Bytes& expected) {
  const HeldState* held = connection.client->held(name);
  return held != nullptr &&
         std::equal(expected.begin(), expected.end(), held->snapshot->bytes().begin(), held->snapshot->bytes().end());
}

// Live, subscribed to `world` at version 1 and settled. The client has sent Hello and Subscribe.
struct Live {
  explicit Live(Limits limits = {}) : world(limits), connection(world.connect()) {
    world.publish(0, state(1));
    connection.client->subscribe(world.now, "world");
    world.settle();
    REQUIRE(connection.client->is_live());
    REQUIRE(holds(connection, "world", state(1)));
  }
  World world;
  Connection& connection;
};

}  // namespace libsync::test
