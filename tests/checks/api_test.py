# SPDX-License-Identifier: Apache-2.0
"""Tests what api.py lists of a header, and that it finds a list that is out of date."""
import unittest

import api
import tree


def listed(text):
    return api.declarations(text)


class Api(unittest.TestCase):
    def test_a_class_lists_its_public_members_without_bodies(self):
        text = """
        namespace nearcall {
        /// A window; not "class Comment".
        class [[nodiscard]] Window final : public Base {
         public:
          explicit Window(int size) : size_(size), other_{size} {}
          int size() const noexcept { return {size_}; }
          Window& operator=(const Window&) = delete;
          virtual void close() = 0;
          ~Window();
          static constexpr int max = 7;
          long least = long{4} * 1'000;
          long most = 20'000;
         private:
          void hidden();
          int size_ = 0;
        };
        }  // namespace nearcall
        """
        self.assertEqual(listed(text), [
            "class Window final : public Base",
            "  explicit Window(int size)",
            "  int size() const noexcept",
            "  Window& operator=(const Window&) = delete",
            "  virtual void close() = 0",
            "  static constexpr int max",
            "  long least",
            "  long most",
        ])

    def test_namespace_detail_and_forward_declarations_are_left_out(self):
        text = "namespace n { class A; namespace detail { class B { }; } int f(detail::B b); }"
        self.assertEqual(listed(text), ["int f(detail::B b)"])

    def test_templates_and_aliases_are_listed(self):
        text = """
        template <class T, class E = Status>
        class Result { public: template <class F> requires C<F> Result(F f) noexcept; };
        template <class T> using Vec = std::vector<T>;
        using Call = std::function<void(int)>;
        template <class T> inline constexpr bool safe = !std::is_empty_v<T>;
        """
        self.assertEqual(listed(text), [
            "template <class T, class E = Status> class Result",
            "  template <class F> requires C<F> Result(F f) noexcept",
            "template <class T> using Vec = std::vector<T>",
            "using Call = std::function<void(int)>",
            "template <class T> inline constexpr bool safe",
        ])

    def test_enums_list_their_values(self):
        text = "enum class Kind : std::uint8_t { one = 1, two };"
        self.assertEqual(listed(text), ["enum class Kind : std::uint8_t", "  one = 1, two"])

    def test_macros_are_names_too(self):
        self.assertEqual(listed("#define CHECK(x) \\\n  (x)\n"), ["#define CHECK"])

    def test_protected_members_are_marked(self):
        self.assertEqual(listed("class A { protected: A(); };"), ["class A", "  [protected] A()"])

    def test_what_follows_a_private_type_is_private_too(self):
        text = "class A { struct B { int x; }; enum class C { c }; int d_; public: int e(); };"
        self.assertEqual(listed(text), ["class A", "  int e()"])

    def test_a_list_out_of_date_is_found(self):
        with tree.MadeUpTree({"include/nearcall/a.hpp": "int f();", "docs/api.txt": ""}) as root:
            self.assertEqual(len(api.check(root)), 1)

            (root / "docs/api.txt").write_text(api.listing(root), encoding="utf-8")

            self.assertEqual(api.check(root), [])


if __name__ == "__main__":
    unittest.main()
