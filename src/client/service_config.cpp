// SPDX-License-Identifier: Apache-2.0
// A service config's fields, and what each may be.
#include "client/service_config.hpp"

#include "base/log.hpp"
#include "client/config_node.hpp"
#include "connection/quiet_protobuf.hpp"

#include <nearcall/channel.hpp>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

Status wrong(const std::string& what) {
  return Status(StatusCode::failed_precondition, "service_config(): " + what)
      .with_reason(StatusReason::misuse);
}

/// A status code by its name, or by its number, as google.rpc.Code has it in JSON.
std::optional<StatusCode> to_code(const ConfigNode& node, const std::string& text) {
  constexpr int codes = 17;
  for (int number = 1; number < codes; ++number) {
    const auto code = static_cast<StatusCode>(number);
    if (text == to_string(code) || text == std::to_string(number)) return code;
  }
  node.fail("must be the name of a status code other than OK, such as \"UNAVAILABLE\"");
  return std::nullopt;
}

/// Protobuf's parser recurses, and takes strings in single quotes, too.
bool is_nested_more(std::string_view json, std::size_t most) noexcept {
  std::size_t depth = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quote != '\0') {
      if (c == '\\') ++i;
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '{' || c == '[') {
      if (++depth > most) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

StatusCodeSet read_codes(const ConfigNode& node) {
  StatusCodeSet codes;
  for (const ConfigNode& element : node.elements()) {
    std::optional<std::string> text;
    if (element.is_number()) {
      const std::optional<std::uint32_t> number = element.whole_number();
      text = std::to_string(number.value_or(0));
    } else {
      text = element.text();
    }
    if (!text) continue;
    if (const std::optional<StatusCode> code = to_code(element, *text)) codes.add(*code);
  }
  return codes;
}

Duration read_positive_duration(const ConfigNode& node) {
  const Duration duration = node.required().duration().value_or(Duration(1));
  if (duration == Duration::zero()) node.fail("must be more than zero");
  return duration;
}

double read_positive(const ConfigNode& node) {
  const double number = node.required().number().value_or(1);
  if (number <= 0) node.fail("must be more than zero");
  return number;
}

}  // namespace

/// Reads one document.
class ServiceConfigReader {
 public:
  Result<ServiceConfig> read(const google::protobuf::Struct& document) {
    const ConfigNode root(document, error_);
    for (const ConfigNode& node : root.member("methodConfig").elements())
      read_method_config(node);
    read_throttling(root.member("retryThrottling"));
    read_load_balancing(root);
    const ConfigNode health = root.member("healthCheckConfig");
    made_.health_check_ = health.member("serviceName").text();
    if (!error_.empty()) return wrong(error_);
    if (most_asked_ > ServiceConfig::most_attempts) {
      log(LogLevel::warning, "service_config(): maxAttempts ", most_asked_, " counts as ",
          ServiceConfig::most_attempts);
    }
    return std::move(made_);
  }

 private:
  void read_method_config(const ConfigNode& node) {
    MethodConfig config;
    config.timeout = node.member("timeout").duration();
    config.wait_for_ready = node.member("waitForReady").boolean();
    config.max_request_size = node.member("maxRequestMessageBytes").whole_number();
    config.max_response_size = node.member("maxResponseMessageBytes").whole_number();
    config.retry = read_retry(node.member("retryPolicy"));
    config.hedging = read_hedging(node.member("hedgingPolicy"));
    if (config.retry && config.hedging) {
      node.fail("has a retryPolicy and a hedgingPolicy; there may be one of them");
    }
    for (const ConfigNode& name : node.member("name").elements())
      read_name(name);
    made_.methods_.push_back(std::move(config));
  }

  /// Of what is pushed back next.
  void read_name(const ConfigNode& node) {
    std::string name = node.member("service").text().value_or("");
    const std::string method = node.member("method").text().value_or("");
    if (name.empty() && !method.empty()) node.fail("has a method and no service");
    if (name.find('/') != std::string::npos) node.member("service").fail("may not have a '/'");
    name.append("/").append(method);
    if (!made_.names_.emplace(std::move(name), made_.methods_.size()).second) {
      node.fail("stands twice");
    }
  }

  int read_max_attempts(const ConfigNode& node) {
    const std::uint32_t asked = node.required().whole_number().value_or(2);
    if (asked < 2) node.fail("must be 2 or more");
    most_asked_ = std::max(most_asked_, asked);
    return static_cast<int>(std::min(asked, std::uint32_t{ServiceConfig::most_attempts}));
  }

  std::optional<RetryRules> read_retry(const ConfigNode& node) {
    if (!node.is_there()) return std::nullopt;
    RetryRules rules;
    rules.max_attempts = read_max_attempts(node.member("maxAttempts"));
    rules.initial_backoff = read_positive_duration(node.member("initialBackoff"));
    rules.max_backoff = read_positive_duration(node.member("maxBackoff"));
    rules.backoff_multiplier = read_positive(node.member("backoffMultiplier"));
    const ConfigNode codes = node.member("retryableStatusCodes");
    rules.retryable = read_codes(codes.required());
    if (rules.retryable.empty()) codes.fail("must have one");
    return rules;
  }

  std::optional<HedgingRules> read_hedging(const ConfigNode& node) {
    if (!node.is_there()) return std::nullopt;
    HedgingRules rules;
    rules.max_attempts = read_max_attempts(node.member("maxAttempts"));
    rules.delay = node.member("hedgingDelay").duration().value_or(Duration::zero());
    rules.non_fatal = read_codes(node.member("nonFatalStatusCodes"));
    return rules;
  }

  void read_throttling(const ConfigNode& node) {
    if (!node.is_there()) return;
    constexpr int thousandths = 1000;
    ThrottlingRules rules;
    const ConfigNode tokens = node.member("maxTokens");
    rules.max_tokens = std::int64_t{tokens.required().whole_number().value_or(1)} * thousandths;
    if (rules.max_tokens == 0) tokens.fail("must be more than zero");
    const ConfigNode ratio_node = node.member("tokenRatio");
    const double ratio = read_positive(ratio_node) * thousandths;
    rules.token_ratio = std::llround(std::min(ratio, static_cast<double>(rules.max_tokens)));
    if (rules.token_ratio == 0) ratio_node.fail("must be 0.001 or more");
    made_.throttling_ = rules;
  }

  /// The list counts if there is one; the name alone is the older way.
  void read_load_balancing(const ConfigNode& root) {
    const ConfigNode name = root.member("loadBalancingPolicy");
    const std::string policy = lower_case(name.text().value_or(""));
    if (!policy.empty() && !is_known(policy)) name.fail("no such policy is known here");
    if (!policy.empty()) made_.load_balancing_ = LoadBalancingRules{policy, false};
    const ConfigNode list = root.member("loadBalancingConfig");
    if (!list.is_there()) return;
    std::optional<LoadBalancingRules> chosen;
    for (const ConfigNode& element : list.elements()) {
      const std::vector<std::string> names = element.names();
      if (names.size() != 1) element.fail("must have the name of one policy");
      if (names.size() != 1 || chosen || !is_known(names.front())) continue;
      const ConfigNode rules = element.member(names.front());
      rules.names();  // which has to be an object
      const ConfigNode shuffle = rules.member("shuffleAddressList");
      const bool is_pick_first = names.front() == "pick_first";
      chosen =
          LoadBalancingRules{names.front(), is_pick_first && shuffle.boolean().value_or(false)};
    }
    if (!chosen) list.fail("has no policy that is known here: pick_first, round_robin");
    made_.load_balancing_ = std::move(chosen);
  }

  static bool is_known(std::string_view policy) noexcept {
    return policy == "pick_first" || policy == "round_robin";
  }
  static std::string lower_case(std::string text) {
    for (char& c : text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
  }

  ServiceConfig made_;
  std::string error_;
  std::uint32_t most_asked_ = 0;
};

Result<ServiceConfig> ServiceConfig::parse(const std::string& json) {
  if (json.size() > max_size) {
    return wrong(std::to_string(json.size()) + " bytes of JSON are over the " +
                 std::to_string(max_size) + " that it may have");
  }
  if (is_nested_more(json, max_depth)) {
    return wrong("its JSON is nested more than " + std::to_string(max_depth) + " deep");
  }
  [[maybe_unused]] const QuietProtobuf quiet;
  google::protobuf::Struct document;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &document);
  if (!parsed.ok()) return wrong("no JSON object: " + std::string(parsed.message()));
  return ServiceConfigReader().read(document);
}

const MethodConfig* ServiceConfig::find(std::string_view path) const noexcept {
  if (path.starts_with('/')) path.remove_prefix(1);
  auto found = names_.find(path);
  if (found == names_.end()) found = names_.find(path.substr(0, path.find('/') + 1));
  if (found == names_.end()) found = names_.find(std::string_view("/"));
  return found == names_.end() ? nullptr : &methods_[found->second];
}

}  // namespace nearcall::inline v0::detail

namespace nearcall::inline v0 {

ChannelOptions& ChannelOptions::service_config(const std::string& json) & {
  Result<detail::ServiceConfig> parsed = detail::ServiceConfig::parse(json);
  if (misuse_.ok()) misuse_ = parsed.status();
  service_config_.reset();
  if (parsed) service_config_ = std::make_shared<const detail::ServiceConfig>(*std::move(parsed));
  return *this;
}

}  // namespace nearcall::inline v0
