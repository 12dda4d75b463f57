#include "game/name_rules.h"

#include <cstdint>

namespace libsync::server {
namespace {

// Takes one code point off the front of `text`. Nothing, where the bytes are not UTF-8: overlong forms, surrogates and
// values above U+10FFFF included.
std::optional<char32_t> take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  std::size_t size = 1;
  char32_t least = 0;
  char32_t value = lead;
  if (lead >= 0x80) {
    if (lead >= 0xC2 && lead <= 0xDF) {
      size = 2, least = 0x80, value = lead & 0x1FU;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      size = 3, least = 0x800, value = lead & 0x0FU;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      size = 4, least = 0x10000, value = lead & 0x07U;
    } else {
      return std::nullopt;
    }
  }
  if (text.size() < size) return std::nullopt;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return std::nullopt;
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F)  // C0, DEL, C1
         || c == 0x2028 || c == 0x2029         // line and paragraph separator
         || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)  // direction
         || c == 0xFEFF;
}

}  // namespace

std::optional<std::string> why_not_name(std::string_view name) {
  std::size_t characters = 0;
  while (!name.empty()) {
    if (++characters > kMaxNameCharacters) {
      return "the name is longer than " + std::to_string(kMaxNameCharacters) + " characters";
    }
    const std::optional<char32_t> c = take_code_point(name);
    if (!c) return "the name is not valid UTF-8";
    if (is_control(*c)) return "the name has control characters";
  }
  return std::nullopt;
}

}  // namespace libsync::server
