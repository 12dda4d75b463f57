#include "game/rules.h"

#include <optional>
#include <utility>

#include "game/name_rules.h"

namespace libsync::server {
namespace {

Error refused(std::string reason) { return {ErrorCode::kActionRefused, std::move(reason)}; }

// "15 minerals are needed, 3 are there"
std::string too_little(double needed, double there, const char* of_what) {
  return std::to_string(static_cast<std::uint64_t>(needed)) + " " + of_what + " are needed, " +
         std::to_string(static_cast<std::uint64_t>(there)) + " are there";
}

std::string with_article(const char* word) { return std::string(*word == 'a' ? "an " : "a ") + word; }

}  // namespace

Result<std::uint32_t> create_body(Bodies& bodies, Player& player, const CreateBodyRequest& request,
                                  std::uint64_t now_ms, std::size_t max_bodies) {
  if (request.body_type == BodyType::kStar) return refused("stars cannot be created");
  const BodyTraits* traits = find_traits(request.body_type);
  if (traits == nullptr) return refused("no such type of body");
  if (!player.unlocked(*traits)) {
    for (const ResearchNode& node : research_tree()) {
      if (node.unlocks == traits->body_type) {
        return refused(with_article(traits->word) + " needs the research \"" + node.name + "\"");
      }
    }
    return refused(with_article(traits->word) + " cannot be created");
  }
  // Not finite is asked first: every comparison with NaN is false.
  if (!is_finite(request.position)) return refused("the position is not a number");
  if (!(length(request.position) <= kUniverseRadius)) return refused("the position is outside the universe");
  if (std::optional<std::string> why = why_not_name(request.name)) return refused(*std::move(why));
  if (const Body* other = bodies.find_touching(request.position, traits->radius)) {
    return refused("the position is inside " + (other->name.empty() ? std::string("another body") : other->name));
  }
  if (bodies.size() >= max_bodies) return refused("the universe is full");
  if (player.bodies_created() >= player.bodies_allowed()) {
    return refused("only " + std::to_string(player.bodies_allowed()) + " bodies are allowed; research allows more");
  }
  const Price price = player.price_of(*traits);
  const Amounts amounts = player.amounts_at(now_ms);
  if (amounts.energy < price.energy) return refused(too_little(price.energy, amounts.energy, "energy"));
  if (amounts.minerals < price.minerals) return refused(too_little(price.minerals, amounts.minerals, "minerals"));

  const Body& parent = bodies.attractor_of(request.position);
  Body body;
  body.body_type = traits->body_type;
  body.mass = traits->mass;
  body.radius = traits->radius;
  body.parent = parent.id;
  body.relative.position = request.position - parent.absolute.position;
  body.relative.velocity = circular_velocity(body.relative.position, bodies.gravity() * parent.mass);
  body.name = request.name;
  body.owner = player.state().user;
  player.buy_body(*traits, now_ms);
  return bodies.add(std::move(body)).id;
}

Result<bool> start_research(Player& player, std::uint16_t research, std::uint64_t now_ms) {
  const ResearchNode* node = find_research(research);
  if (node == nullptr) return refused("no such research");
  switch (player.status_of(*node)) {
    case world::ResearchStatus::kDone: return refused("this research is done already");
    case world::ResearchStatus::kRunning: return refused("this research is running already");
    case world::ResearchStatus::kLocked:
      for (const std::uint16_t id : node->prerequisites) {
        const ResearchNode& needed = *find_research(id);
        if (player.status_of(needed) != world::ResearchStatus::kDone) {
          return refused(std::string("it needs the research \"") + needed.name + "\" first");
        }
      }
      break;
    case world::ResearchStatus::kAvailable: break;
  }
  if (player.state().research_running != 0) return refused("another research is running");
  const Amounts amounts = player.amounts_at(now_ms);
  if (amounts.science < node->cost_science) return refused(too_little(node->cost_science, amounts.science, "science"));
  if (amounts.energy < node->cost_energy) return refused(too_little(node->cost_energy, amounts.energy, "energy"));
  player.start_research(*node, now_ms);
  return true;
}

}  // namespace libsync::server
