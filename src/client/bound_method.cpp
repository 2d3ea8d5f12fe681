// SPDX-License-Identifier: Apache-2.0
// The headers that all calls of a method share.
#include "client/bound_method.hpp"

#include "grpc/request_head.hpp"

#include <nearcall/version.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

BoundMethod bind_method(const Method& method,
                        std::string_view authority,
                        const grpc::CodecSet& codecs,
                        const Observed* observed) {
  static const std::string user_agent = std::string("nearcall-cpp/") + version_string;
  grpc::HeaderBlock block;
  grpc::append_request_head(block, {.path = method.path,
                                    .authority = authority,
                                    .user_agent = user_agent,
                                    .accept_encoding = codecs.accepted()});
  std::vector<http2::HeaderField> fields;
  for (const HeaderView& field : block.fields())
    fields.push_back({field.name, field.value});
  return {method, http2::HeaderTemplate(fields), &codecs, observed};
}

std::span<const BoundMethod> MethodTable::bind(std::span<const Method> methods) {
  const std::lock_guard lock(mutex_);
  for (const Bound& known : bound_) {
    if (known.methods.data() == methods.data() && known.methods.size() == methods.size()) {
      return known.here;
    }
  }
  Bound& made = bound_.emplace_back(Bound{methods, {}});
  made.here.reserve(methods.size());
  for (const Method& method : methods)
    made.here.push_back(bind_one(method));
  return made.here;
}

struct MethodTable::Named {
  std::unique_ptr<const std::string> key;
  BoundMethod here;
};

/// Where there is no room for one more they all go: the next call of each binds it anew.
NamedMethod MethodTable::bind_named(std::string_view path, MethodKind kind) {
  auto key = std::make_unique<std::string>(1, static_cast<char>(kind));
  key->append(path);
  const std::lock_guard lock(mutex_);
  const auto known = named_.find(*key);
  if (known != named_.end()) return {known->second, &known->second->here};
  BoundMethod bound = bind_one({key->c_str() + 1, kind});
  bound.is_named = true;
  const auto made = std::make_shared<const Named>(Named{std::move(key), std::move(bound)});
  if (path.size() <= most_name) {
    if (named_.size() == most_named) named_.clear();
    named_.emplace(*made->key, made);
  }
  return {made, &made->here};
}

void MethodTable::set_config(std::shared_ptr<const ServiceConfig> config,
                             std::optional<std::size_t> max_response_size,
                             std::size_t max_call_buffer,
                             std::size_t max_buffer) {
  if (config == nullptr) return;
  retries_.emplace(*config, max_call_buffer, max_buffer);
  config_ = std::move(config);
  max_response_size_ = max_response_size;
}

BoundMethod MethodTable::bind_one(const Method& method) {
  BoundMethod bound = bind_method(method, authority_, codecs_, observed_.get());
  if (config_ == nullptr) return bound;
  bound.retries = &*retries_;
  bound.config = config_->find(method.path);
  if (bound.config != nullptr && bound.config->max_response_size) {
    const std::size_t most = *bound.config->max_response_size;
    bound.max_response_size = std::min(max_response_size_.value_or(most), most);
  }
  return bound;
}

}  // namespace nearcall::inline v0::detail
