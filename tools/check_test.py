"""Plants one violation of each kind in a small tree and expects check.py to find it there, and
expects silence where something only looks like one.
"""
import pathlib
import tempfile
import unittest

from tools import check

# A tree without findings; each test changes or adds files.
CLEAN = {
    "src/base/CMakeLists.txt": "lab_room(base\n    SOURCES text.cpp clock.cpp\n    TESTS text_test.cpp\n)\n",
    "src/base/README.md": "# base\n",
    "src/base/text.h": "#pragma once\n#include <string>\n",
    "src/base/text.cpp": '#include "base/text.h"\n',
    "src/base/text_test.cpp": '#include "base/text.h"\n\n#include "support/vectors.h"\n\n#include <gtest/gtest.h>\n',
    "src/base/clock.cpp": "auto now() { return std::chrono::system_clock::now(); }\n",
    "src/engine/CMakeLists.txt": "lab_room(engine\n    SOURCES run.cpp\n    TESTS run_test.cpp\n)\n",
    "src/engine/README.md": "# engine\n",
    "src/engine/run.cpp": (
        '#include "base/text.h"\n#include "providers/provider.h"\n#include "science/stats/t_tests.h"\n'
        '// std::thread and "SELECT " + name are only spoken of.\n'
        'const char* kText = "system_clock::now() and std::regex";\n'
        "const int kMany = 1'000'000;\n"
    ),
    "src/engine/run_test.cpp": '#include "storage/store/sqlite.h"\n#include "platform/process/event_loop.h"\n',
    "src/storage/CMakeLists.txt": "add_subdirectory(store)\n",
    "src/storage/store/CMakeLists.txt": "lab_room(storage_store SOURCES runs.cpp sqlite/session.cpp)\n",
    "src/storage/store/README.md": "# store\n",
    "src/storage/store/runs.cpp": (
        'constexpr Query kRun{"get_run", R"sql(SELECT id FROM runs WHERE id = $1)sql"};\n'
        'constexpr Query kAll{"all_runs", "SELECT id FROM runs "\n    "ORDER BY id"};\n'
    ),
    "src/storage/store/sqlite/session.cpp": "#include <sqlite3.h>\n",
    "docs/guide.md": "Open `~/.local/share/` and your own work folder.\n",
}


class Tree(unittest.TestCase):
    def findings_of(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in {**CLEAN, **changes}.items():
                if text is None:
                    continue
                file = pathlib.Path(folder) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return check.Checker(folder).run()

    def expect(self, changes, start, *words):
        """Exactly one finding, which begins with `start` and says `words`."""
        found = self.findings_of(changes)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(start), found[0])
        for word in words:
            self.assertIn(word, found[0])

    def run_cpp(self, text):
        return {"src/engine/run.cpp": text}


class Includes(Tree):
    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(self.findings_of({}), [])

    def test_an_arrow_that_the_table_lacks(self):
        self.expect(
            self.run_cpp('#include "base/text.h"\n#include "platform/process/event_loop.h"\n'),
            "src/engine/run.cpp:2: [include]", "engine may include: base, platform/telemetry")

    def test_a_concrete_class_of_storage_in_the_engine(self):
        self.expect(self.run_cpp('#include "storage/store/sqlite.h"\n'),
                    "src/engine/run.cpp:1: [include]", "only app may")

    def test_the_ground_floor_includes_nothing_of_ours(self):
        self.expect({"src/base/text.cpp": '#include "domain/run.h"\n'},
                    "src/base/text.cpp:1: [include]", "nothing of ours")

    def test_providers_and_storage_never_meet(self):
        self.expect({"src/storage/store/runs.cpp": '#include "providers/provider.h"\n'},
                    "src/storage/store/runs.cpp:1: [include]")

    def test_a_test_reaches_down_but_not_up(self):
        self.expect({"src/engine/run_test.cpp": '#include "service/runs.h"\n'},
                    "src/engine/run_test.cpp:1: [include]")

    def test_private_headers_of_another_room(self):
        self.expect(self.run_cpp('#include "science/stats/impl/replicates.h"\n'),
                    "src/engine/run.cpp:1: [include]", "private to science/stats")

    def test_only_tests_share_test_helpers(self):
        line = '#include "storage/objects/impl/test_folder.h"\n'
        self.assertEqual(self.findings_of({"src/engine/run_test.cpp": line}), [])
        self.expect({"src/storage/store/runs.cpp": line}, "src/storage/store/runs.cpp:1: [include]",
                    "private to storage/objects")

    def test_paths_start_at_src(self):
        self.expect(self.run_cpp('#include "run.h"\n'), "src/engine/run.cpp:1: [include]",
                    "starts at src/")

    def test_our_headers_in_angle_brackets(self):
        self.expect(self.run_cpp("#include <base/text.h>\n"), "src/engine/run.cpp:1: [include]",
                    "quotes")

    def test_a_folder_that_is_no_room(self):
        found = self.findings_of({
            "src/extras/CMakeLists.txt": "lab_room(extras SOURCES a.cpp)\n",
            "src/extras/README.md": "# extras\n",
            "src/extras/a.cpp": '#include "base/text.h"\n',
        })
        self.assertEqual(len(found), 1, found)
        self.assertIn("extras is not a room", found[0])

    def test_an_include_in_a_comment_is_none(self):
        self.assertEqual(
            self.findings_of(self.run_cpp('/*\n#include "app/wire.h"\n*/\n// #include <regex>\n')), [])


class HeavyHeaders(Tree):
    def test_each_is_refused_outside_its_place(self):
        for header in ("boost/math/distributions/normal.hpp", "boost/asio/io_context.hpp",
                       "yaml-cpp/yaml.h", "spdlog/spdlog.h", "CLI/CLI.hpp", "csv.h", "sqlite3.h",
                       "curl/curl.h", "openssl/evp.h", "gtest/gtest.h", "iostream", "regex"):
            with self.subTest(header):
                self.expect(self.run_cpp(f"#include <{header}>\n"),
                            "src/engine/run.cpp:1: [heavy header]", header)

    def test_names_that_only_end_alike_pass(self):
        self.assertEqual(
            self.findings_of(self.run_cpp("#include <my_csv.h>\n#include <re2/re2.h>\n")), [])


class Bans(Tree):
    def test_each_is_found(self):
        for rule, line in (
            ("thread", "std::thread t;"),
            ("thread", "auto f = std::async(work);"),
            ("wall clock", "auto t = std::chrono::system_clock::now();"),
            ("entropy", "std::random_device d;"),
            ("environment", 'const char* home = std::getenv("HOME");'),
            ("std::regex", "std::regex r(text);"),
            ("output stream", "std::cout << 1;"),
            ("detached", "co_spawn(executor, work(), asio::detached);"),
            ("detached", "worker.detach();"),
        ):
            with self.subTest(line):
                self.expect(self.run_cpp(f"\n{line}\n"), f"src/engine/run.cpp:2: [{rule}]")

    def test_tests_may_start_threads(self):
        self.assertEqual(
            self.findings_of({"src/engine/run_test.cpp": "std::jthread t;\n"}), [])

    def test_a_raw_string_and_a_char_hide_nothing_behind_them(self):
        text = "auto a = R\"x(std::regex \" ' )\" )x\"; char b = '\"'; char c = '\\''; std::regex d;\n"
        self.expect(self.run_cpp(text), "src/engine/run.cpp:1: [std::regex]")


class Sql(Tree):
    def test_statements_that_are_put_together(self):
        for line in (
            'auto s = "SELECT id FROM runs WHERE name = \'" + name + "\'";',
            'auto s = prefix + "ORDER BY " ;',
            's += "WHERE id = 1";',
            'auto s = fmt::format("DELETE FROM {} ", table);',
            'auto s = fmt::format(size(x), "UPDATE runs SET {} = 1", column);',
            'out << "INSERT INTO runs VALUES (";',
            's.append("CREATE TABLE x ");',
        ):
            with self.subTest(line):
                found = self.findings_of({"src/storage/store/runs.cpp": line + "\n"})
                self.assertEqual([f.split("]")[0] for f in found],
                                 ["src/storage/store/runs.cpp:1: [built SQL"])

    def test_a_call_that_ended_before_does_not_count(self):
        text = 'auto a = fmt::format("{}", 1);\nQuery q{"n", "SELECT 1 "};\n'
        self.assertEqual(self.findings_of({"src/storage/store/runs.cpp": text}), [])


class Files(Tree):
    def test_a_file_that_is_two(self):
        self.expect({"src/engine/run.cpp": "\n" * 701}, "src/engine/run.cpp:701: [length]")
        self.assertEqual(self.findings_of({"src/engine/run.cpp": "\n" * 700}), [])

    def test_a_room_without_a_readme(self):
        self.expect({"src/engine/README.md": None}, "src/engine/README.md:1: [readme]")

    def test_a_shelf_may_speak_for_its_rooms(self):
        changes = {"src/storage/store/README.md": None}
        self.expect(changes, "src/storage/store/README.md:1: [readme]")
        self.assertEqual(self.findings_of({**changes, "src/storage/README.md": "# storage\n"}), [])

    def test_a_readme_that_is_too_long(self):
        self.expect({"src/engine/README.md": "x\n" * 41}, "src/engine/README.md:41: [readme]")

    def test_an_orphan(self):
        self.expect({"src/engine/extra.cpp": "\n"}, "src/engine/extra.cpp:1: [orphan]", "extra.cpp")

    def test_a_source_that_is_only_commented_out_in_the_list(self):
        self.expect(
            {"src/engine/CMakeLists.txt": "lab_room(engine\n # run.cpp\n TESTS run_test.cpp)\n"},
            "src/engine/run.cpp:1: [orphan]")

    def test_paths_of_one_machine(self):
        for folder in ("work", "root", "farm"):
            self.expect({"docs/guide.md": f"\nsee /{folder}/notes\n"},
                        "docs/guide.md:2: [machine path]")

    def test_words_of_unfinished_work(self):
        for words in ("// TODO later", "# FIXME", "this is not yet implemented", "XXX"):
            with self.subTest(words):
                self.expect({"docs/guide.md": words + "\n"}, "docs/guide.md:1: [unfinished]")
        self.assertEqual(
            self.findings_of({"docs/guide.md": '501 "Not Implemented"; a hack; xxx\n'}), [])

    def test_tests_that_do_not_run(self):
        for line in ("TEST(Run, DISABLED_Ends) {}", "GTEST_SKIP();", "@unittest.skip", "skipTest()"):
            with self.subTest(line):
                self.expect({"src/engine/run_test.cpp": f"\n{line}\n"},
                            "src/engine/run_test.cpp:2: [skipped test]")
        self.assertEqual(
            self.findings_of({"src/engine/run_test.cpp": 'GTEST_SKIP() << "no server";\n'}), [])


if __name__ == "__main__":
    unittest.main()
