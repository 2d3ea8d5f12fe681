# SPDX-License-Identifier: Apache-2.0
"""Tests that layers.py finds forbidden includes and lets the others pass."""
import unittest

import layers
import tree


def findings(name, text):
    with tree.MadeUpTree({name: text}) as root:
        return layers.check(root)


class Layers(unittest.TestCase):
    def test_an_include_of_a_layer_below_passes(self):
        self.assertEqual(findings("src/server/a.cpp", '#include "http2/session.hpp"\n'), [])

    def test_an_include_of_a_layer_above_is_found(self):
        found = findings("src/base/a.cpp", '#include <string>\n#include "async/task.hpp"\n')

        self.assertEqual(len(found), 1)
        self.assertIn("src/base/a.cpp: base may not include async/task.hpp", found[0])

    def test_client_and_server_are_apart(self):
        self.assertEqual(len(findings("src/client/a.hpp", '#include "server/call.hpp"')), 1)
        self.assertEqual(len(findings("src/server/a.hpp", "#include <nearcall/channel.hpp>")), 1)

    def test_a_folder_or_public_header_outside_the_table_is_found(self):
        self.assertEqual(len(findings("src/misc/a.hpp", "")), 1)
        self.assertEqual(len(findings("include/nearcall/misc.hpp", "")), 1)

    def test_a_public_header_includes_nothing_private(self):
        self.assertEqual(len(findings("include/nearcall/log.hpp", '#include "base/log.hpp"')), 1)

    def test_the_engine_includes_no_threads(self):
        self.assertEqual(len(findings("src/http2/a.cpp", "#  include <thread>")), 1)
        self.assertEqual(findings("src/async/a.cpp", "#include <thread>"), [])

    def test_an_include_without_its_folder_is_found(self):
        self.assertEqual(len(findings("src/http2/a.cpp", '#include "frame.hpp"')), 1)

    def test_services_see_public_headers_alone(self):
        self.assertEqual(findings("src/services/a.cpp", "#include <nearcall/server.hpp>"), [])
        self.assertEqual(len(findings("src/services/a.cpp", '#include "base/bytes.hpp"')), 1)


if __name__ == "__main__":
    unittest.main()
