// store.h: durable records by key. What the server keeps over a restart goes through here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync::server {

struct SaveRecord {
  std::string key;
  Bytes value;
  bool operator==(const SaveRecord&) const = default;
};

class Store {
 public:
  // True: on disk, survives a crash of process and machine. An error: nobody may count on it; as the disk failed, the
  // next start may find all of the commit or nothing of it, never a part.
  using Done = std::function<void(Result<bool>)>;

  Store() = default;
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Every record whose key begins with `prefix`, by key. Blocks; for start-up.
  // Errors: kStoreUnavailable (cannot be read, or a checksum is wrong).
  virtual Result<std::vector<SaveRecord>> load(const std::string& prefix) = 0;

  // Writes all `records` in one transaction and removes `removed` in the same one. Returns at once; `done` runs on
  // the store's own thread. Commits end in the order they were asked for; several may share a transaction.
  // Errors (to `done`): kStoreUnavailable; after a failed fsync the store accepts nothing more.
  virtual void commit(std::vector<SaveRecord> records, std::vector<std::string> removed, Done done) = 0;
};

}  // namespace libsync::server
