# SPDX-License-Identifier: Apache-2.0
"""Tests that file_rules.py finds each kind of broken rule, and nothing in a tree that keeps them."""
import unittest

import file_rules
import tree

HEAD = "// SPDX-License-Identifier: Apache-2.0\n// What this file is about.\n"
API_HEAD = HEAD + "#pragma once\n#pragma GCC visibility push(default)\n"
API_TAIL = "#pragma GCC visibility pop\n"


def findings(files):
    with tree.MadeUpTree(files) as root:
        return file_rules.check(root)


class FileRules(unittest.TestCase):
    def assert_one(self, files, words):
        found = findings(files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_a_tree_that_keeps_the_rules_passes(self):
        files = {"src/a.cpp": HEAD, "include/nearcall/a.hpp": API_HEAD + API_TAIL,
                 "demo": "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n# Shows a greeting.\n",
                 "src/CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n"}
        self.assertEqual(findings(files), [])

    def test_a_missing_license_is_found(self):
        self.assert_one({"src/a.cpp": "// What this file is about.\n"}, "does not start with")

    def test_a_missing_sentence_is_found(self):
        self.assert_one({"src/a.cpp": HEAD.splitlines()[0] + "\nint x;\n"}, "second line")

    def test_a_missing_once_is_found(self):
        self.assert_one({"src/a.hpp": HEAD}, "#pragma once")

    def test_a_long_file_is_found(self):
        self.assert_one({"src/a.cpp": HEAD + "\n" * 600}, "more than 600")

    def test_an_open_end_needs_an_issue(self):
        self.assert_one({"src/a.cpp": HEAD + "// TODO: later\n"}, "src/a.cpp:3")
        self.assert_one({"src/a.cpp": HEAD + "// TODO(perf): later\n"}, "src/a.cpp:3")
        self.assertEqual(findings({"src/a.cpp": HEAD + "// TODO(perf): later, #7\n"}), [])

    def test_a_path_of_a_machine_is_found(self):
        self.assert_one({"docs/a.md": "see /ho" + "me/ann/x\n"}, "docs/a.md:1")
        self.assertEqual(findings({"docs/a.md": "https://example.org/home/ann\n"}), [])

    def test_what_is_versioned_is_opened_with_its_version(self):
        for file in ("src/a.cpp", "tests/a_test.cpp"):
            for name in ("detail", "http2", "grpc"):
                self.assert_one({file: HEAD + f"namespace nearcall::{name} {{\n"}, "versioned namespace")
            self.assertEqual(findings({file: HEAD + "namespace nearcall::inline v0::detail {\n"}), [])
        self.assert_one({"src/a.cpp": HEAD + "namespace nearcall {\n"}, "versioned namespace")
        self.assertEqual(findings({"tests/a_test.cpp": HEAD + "namespace nearcall {\n"}), [])

    def test_a_name_made_of_an_unused_verb_is_found(self):
        for name in ("let_go", "try_give_up", "is_given_up_", "GiveUp", "cut_short", "abandon_all",
                     "discard", "Discarded", "forget_labels", "forgotten", "expire", "retire",
                     "shut_down", "ShutDown", "terminate", "quit", "dispose", "interrupt"):
            for file in ("src/a.cpp", "include/nearcall/a.hpp"):
                head, tail = (HEAD, "") if file.endswith(".cpp") else (API_HEAD, API_TAIL)
                self.assert_one({file: head + f"void {name}();\n" + tail}, f"'{name}'")
        for code in ("[[nodiscard]] int x();", "std::terminate();", "if (alive.expired()) return;",
                     '{"expires", ""},', "int x;  // given up, so let_go()", "void shutdown_write();"):
            self.assertEqual(findings({"src/a.cpp": HEAD + code + "\n"}), [])
        self.assertEqual(findings({"tests/a.cpp": HEAD + "void let_go();\n"}), [])

    def test_what_threads_share_is_found_on_the_path_of_an_awaited_call(self):
        for code in ("#include <mutex>", "const std::lock_guard held(m);", "std::shared_ptr<Backend> b;",
                     "auto b = backend.shared_from_this();", "std::unordered_map<int, int> m;"):
            for name in ("client/async_call.cpp", "client/loop_backend.hpp", "client/client_stub.cpp",
                         "connection/pump.cpp", "http2/hpack/decoder.hpp"):
                head = HEAD + ("#pragma once\n" if name.endswith("hpp") else "")
                self.assert_one({f"src/{name}": head + code + "\n"}, "awaited call")
            self.assertEqual(findings({"src/client/blocking_call.cpp": HEAD + code + "\n"}), [])
        for code in ("  const std::shared_ptr<Backend> backend_;", "// no mutex", "std::atomic<int> n;"):
            self.assertEqual(findings({"src/client/loop_backend.cpp": HEAD + code + "\n"}), [])

    def test_a_private_header_that_declares_beside_the_api_is_found(self):
        head = HEAD + "#pragma once\n"
        for name in ("nearcall::inline v0", "nearcall::tools"):
            self.assert_one({"src/a.hpp": head + f"namespace {name} {{\n"}, "src/a.hpp:4")
        for name in ("nearcall::inline v0::detail", "nearcall::inline v0::detail::http2"):
            self.assertEqual(findings({"src/a.hpp": head + f"namespace {name} {{\n"}), [])
        self.assertEqual(findings({"src/a.cpp": HEAD + "namespace nearcall::inline v0 {\n"}), [])

    def test_a_large_api_is_found(self):
        header = API_HEAD + "int x;\n" * (file_rules.MAX_API_LINES // 10 + 1) + API_TAIL
        files = {f"include/nearcall/{name}.hpp": header for name in "abcdefghij"}
        self.assert_one(files, f"more than {file_rules.MAX_API_LINES}")

    def test_a_public_header_whose_symbols_are_hidden_is_found(self):
        self.assert_one({"include/nearcall/a.hpp": HEAD + "#pragma once\n"}, "would be hidden")
        self.assert_one({"include/nearcall/a.hpp": API_HEAD}, "would be hidden")

    def test_a_second_way_into_the_api_is_found(self):
        def header(text):
            return API_HEAD + text + API_TAIL

        layers = header("/// For the library's own layers.\n")
        self.assertEqual(findings({"include/nearcall/a.hpp": layers}), [])
        self.assert_one({"include/nearcall/a.hpp": layers, "include/nearcall/b.hpp": layers}, "2 times")
        for friend in ("friend ClientStub;", "friend class Waiter;", "friend detail::AsyncCall;"):
            self.assert_one({"include/nearcall/a.hpp": header(f"  {friend}\n")}, friend)
        for friend in ("friend detail::Access;", "friend Access;", "friend X untrusted::anyone();",
                       "friend bool operator==(const X&, const X&) = default;"):
            self.assertEqual(findings({"include/nearcall/a.hpp": header(f"  {friend}\n")}), [])

    def test_a_long_example_of_a_transport_is_found(self):
        folder = "examples/custom_transport"
        half = HEAD + "\nint x;\n" + "  // why\n" + "int y;\n" * 49
        self.assertEqual(findings({f"{folder}/a.cpp": half}), [])
        self.assert_one({f"{folder}/a.cpp": half, f"{folder}/b.cpp": half}, "more than 99")

    def test_a_full_root_is_found(self):
        self.assert_one({f"x{number}.md": "" for number in range(17)}, "root folder")

    def test_builds_and_hidden_folders_are_nobodys(self):
        self.assertEqual(findings({"build/a.cpp": "", ".git/a.cpp": "", "build-x/a.cpp": ""}), [])


if __name__ == "__main__":
    unittest.main()
