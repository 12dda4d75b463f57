// page.h: the static files of the page, read once at start. A request path is looked up in a table, so no path can
// lead outside of the directory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace libsync::server {

struct PageFile {
  std::string content_type;
  std::string etag;  // with its quotes
  std::string bytes;
};

class Page {
 public:
  // Reads every file below `directory`, symbolic links left out. A directory that is missing gives an empty page.
  // Throws std::exception for one that cannot be read or holds more than 64 MiB: the server is starting.
  explicit Page(const std::string& directory);

  bool empty() const { return files_.empty(); }

  // The file that a request path (percent-encoded, with a query perhaps) names; "/" is index.html. Null: none.
  std::shared_ptr<const PageFile> find(std::string_view target) const;

 private:
  std::map<std::string, std::shared_ptr<const PageFile>, std::less<>> files_;  // by path, "/assets/app.js"
};

// By the name's ending; application/octet-stream where it is not known.
std::string_view content_type_of(std::string_view name);

}  // namespace libsync::server
