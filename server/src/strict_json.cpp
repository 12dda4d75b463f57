#include "strict_json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <set>
#include <string>
#include <vector>

namespace libsync::server {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

// Listens to the parser and remembers the names of each open object. json::parse keeps the last of two equal members
// without a word, so names are checked here first.
class DuplicateFinder {
 public:
  static constexpr std::size_t max_object_size = 1000;
  static constexpr std::size_t max_array_size = 1000;
  static constexpr std::size_t max_key_size = 1000;
  static constexpr std::size_t max_string_size = 8192;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    names_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    names_.pop_back();
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_key_part(string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code& error) {
    key_.append(part.data(), part.size());
    const bool is_new = names_.back().insert(std::move(key_)).second;
    key_.clear();
    if (!is_new) error = json::error::syntax;
    return is_new;
  }
  bool on_string_part(string_view, std::size_t, error_code&) { return true; }
  bool on_string(string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return false; }
  bool on_comment(string_view, error_code&) { return false; }

 private:
  std::vector<std::set<std::string>> names_;
  std::string key_;
};

}  // namespace

std::optional<json::object> parse_strict_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  error_code error;
  json::basic_parser<DuplicateFinder> finder(options);
  const std::size_t parsed = finder.write_some(false, text.data(), text.size(), error);
  if (error || parsed != text.size() || !finder.done()) return std::nullopt;

  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

}  // namespace libsync::server
