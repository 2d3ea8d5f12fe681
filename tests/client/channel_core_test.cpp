// SPDX-License-Identifier: Apache-2.0
// A channel with a picker: each call goes to the backend that it chooses, in both forms.
#include "client/channel_core.hpp"

#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>

namespace nearcall::test {
namespace {

ScriptedServer::Script answer_as(std::string name) {
  return [name = std::move(name)](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all(name)); };
}

/// One after the other.
class TurnPicker final : public detail::Picker {
 public:
  TurnPicker(const detail::ChannelCore& channel, ScriptedServer& first, ScriptedServer& second)
      : backends_{std::make_shared<detail::Backend>("first", first.options()),
                  std::make_shared<detail::Backend>("second", second.options())} {
    for (const auto& backend : backends_)
      backend->keep(channel.methods());
  }
  ~TurnPicker() override {
    for (const auto& backend : backends_)
      backend->drain();
  }
  detail::Backend& pick() noexcept override { return *backends_[turn_++ % backends_.size()]; }

 private:
  std::array<std::shared_ptr<detail::Backend>, 2> backends_;
  std::atomic<std::size_t> turn_{0};
};

class PickerTest : public LogCheckedTest {};

TEST_F(PickerTest, EachCallGoesToTheBackendThatItChooses) {
  ScriptedServer first({answer_as("first")});
  ScriptedServer second({answer_as("second")});
  const Channel channel("unused");
  detail::Access::core(channel).set_picker(
      std::make_unique<TurnPicker>(detail::Access::core(channel), first, second));
  const ClientStub stub(channel, test_methods);

  EXPECT_EQ(call_unary(stub)->value(), "first");
  EXPECT_EQ(call_unary(stub)->value(), "second");
  EXPECT_EQ(sync_wait(await_unary(stub))->value(), "first");
  EXPECT_EQ(sync_wait(await_unary(stub))->value(), "second");
}

TEST_F(PickerTest, ACallMayOutliveTheChannelAndItsPicker) {
  ScriptedServer first({answer_as("first")});
  ScriptedServer second({answer_as("second")});
  std::optional<Channel> channel("unused");
  detail::Access::core(*channel).set_picker(
      std::make_unique<TurnPicker>(detail::Access::core(*channel), first, second));
  auto call = ClientStub(*channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
  channel.reset();

  EXPECT_TRUE(call.write(text_of("a")));
  EXPECT_TRUE(call.writes_done());
  EXPECT_EQ(call.read()->value(), "first");
}

}  // namespace
}  // namespace nearcall::test
