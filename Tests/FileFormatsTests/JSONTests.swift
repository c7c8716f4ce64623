import Diagnostics
import FileFormats
import System
import Testing
import TestSupport

@Suite struct JSONTests {
  @Test func readsEveryKindOfValue() throws {
    let text = #"{"a": [1, -2.5, 1e3, true, false, null], "é": "x\n\u00e9\ud83d\ude00", "o": {}}"#
    let json = try JSON(parsing: Array(text.utf8), file: "t")
    #expect(json["a"] == .array([.integer(1), .number(-2.5), .number(1000), .bool(true), .bool(false), .null]))
    #expect(json["é"]?.string == "x\né😀")
    #expect(json["o"] == .object([]))
    #expect(try JSON(parsing: Array(json.compact.utf8), file: "t") == json)
    #expect(try JSON(parsing: Array(json.pretty.utf8), file: "t") == json)
  }

  @Test func keepsKeysThatAreOnlyCanonicallyEqual() throws {
    let json = try JSON(parsing: Array("{\"\u{E9}\": 1, \"e\u{301}\": 2}".utf8), file: "t")
    #expect(json["\u{E9}"]?.integer == 1)
    #expect(json["e\u{301}"]?.integer == 2)
  }

  @Test(arguments: [
    ("{\"a\": 1,\n \"b\" 2}", "t:2:6"), ("[1, 2", "t:1:6"), ("", "t:1:1"), ("[1] x", "t:1:5"), ("\"a\nb\"", "t:1:3"),
    ("01", "t:1:1"), ("1.", "t:1:3"), ("-", "t:1:2"), ("\"\\ud800\"", "t:1:8"), ("nul", "t:1:1"), ("[1,]", "t:1:4"),
    (String(repeating: "[", count: 100_000), "t:1:257"),
  ])
  func saysWhereItIsMalformed(text: String, place: String) {
    #expect {
      try JSON(parsing: Array(text.utf8), file: "t")
    } throws: { error in
      (error as? InputError)?.place == place && (error as? InputError)?.kind == .badData
    }
  }

  /// The kinds of malformed text of the JSONTestSuite.
  @Test(arguments: [
    "-01", "-012", "00", "-", "+1", ".5", "-.5", "1.", "-1.", "1.e3", "1e", "1e+", "1E-", "0x1", "1_0", "١", "1 000",
    "--1",
    "NaN", "-NaN", "Infinity", "-Infinity", "inf", "nan", "TRUE", "True", "tru", "nulll", "[1\u{C}]", "[1\u{B}]",
    "[\u{A0}1]", "[1]\u{C}", "\u{2060}[]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1:2]", "[", "]", "[}", "{", "{,}",
    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\":1 \"b\":2}", "{\"a\":1}}",
    "\"", "\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\u00G0\"", "\"\\u+123\"", "\"\\U0041\"", "\"\\ud800\"",
    "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"a\u{0}\"", "\"a\tb\"", "\"a\u{1F}\"", "'a'", "\"a\" b",
    "1 // c", "1 /* c */", "# c\n1", "\u{0}", "1\u{0}", " ", "1e400", "-1e999", "\u{FEFF}\u{FEFF}1",
  ])
  func malformedTextIsRefused(text: String) {
    #expect(throws: InputError.self) { try JSON(parsing: Array(text.utf8), file: "t") }
  }

  @Test(arguments: [
    [0xFF], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE9, 0x22], [0xFF, 0xFE, 0x31, 0],
  ])
  func otherEncodingsAreRefused(bytes: [UInt8]) {
    #expect(throws: InputError.self) { try JSON(parsing: bytes, file: "t") }
  }

  @Test(arguments: [
    ("-0", JSON.integer(0)), ("-0.0", .number(-0.0)), ("0e0", .number(0)), ("1E+2", .number(100)),
    (" \t\r\n1 ", .integer(1)),
    ("\u{FEFF}1", .integer(1)), ("1e-999", .number(0)), ("9223372036854775807", .integer(.max)),
    ("9223372036854775808", .number(9223372036854775808)), ("\"\\u0000\"", .string("\u{0}")),
    ("\"\u{7F}\"", .string("\u{7F}")),
    ("{\"\":0}", .object([.init("", .integer(0))])), ("\"\\/\\b\\f\"", .string("/\u{8}\u{C}")),
    ("\"\\uFFFF\"", .string("\u{FFFF}")), ("\"\\ud83d\\ude00\"", .string("😀")),
  ])
  func wellFormedTextIsRead(text: String, value: JSON) throws {
    #expect(try JSON(parsing: Array(text.utf8), file: "t") == value)
  }

  /// As Python has it, which wrote the files of models.
  @Test func theLastOfEqualKeysCounts() throws {
    #expect(try JSON(parsing: Array(#"{"a": 1, "b": 2, "a": 3}"#.utf8), file: "t")["a"] == .integer(3))
  }

  @Test func pythonsNumbersAreReadWhereTheyAreAllowed() throws {
    let text = Array("[NaN, Infinity, -Infinity, 1e999, -1]".utf8)
    let values = try #require(JSON(parsing: text, file: "t", allowing: .nonFinite).array)
    #expect(values[0].number?.isNaN == true && values[1...].map(\.number) == [.infinity, -.infinity, .infinity, -1])
    for wrong in ["Nan", "+Infinity", "-NaN", "- Infinity", "Inf"] {
      #expect(throws: InputError.self) { try JSON(parsing: Array(wrong.utf8), file: "t", allowing: .nonFinite) }
    }
  }

  @Test(arguments: [
    (
      "version https://git-lfs.github.com/spec/v1\n",
      "is a git-lfs pointer (run `git lfs pull` in its folder), expected JSON"
    ),
    ("<!doctype html>", "is an HTML or XML page"), ("{\0", "is UTF-16 text (save it as UTF-8"), ("\0{", "is UTF-16"),
    ("", "is empty, expected JSON"),
    ("PK\u{3}\u{4}", "is a zip archive"),
  ])
  func otherFilesAreNamed(text: String, message: String) throws {
    try withTemporaryFolder { folder in
      try writeAtomically(text, to: folder + "/config.json")
      #expect {
        try JSON.read(file: folder + "/config.json")
      } throws: {
        "\($0)".contains(message)
      }
    }
  }

  @Test func writesNumbersThatReadBackTheSame() throws {
    for value in [0.1, 1e-5, 123456789.125, -1.5e300, 1 / 3.0] {
      #expect(try JSON(parsing: Array(JSON.number(value).compact.utf8), file: "t").number == value)
    }
    #expect(JSON.number(.nan).compact == "null")
  }

  /// What a terminal or an editor would obey is escaped, and reads back the same.
  @Test func controlCharactersAreEscaped() throws {
    let text = "\0\u{1B}\u{7F}\u{9B}\u{2028}\u{202E}\u{2066}é\u{200D}"
    let written = JSON.string(text).compact
    #expect(written == #""\u0000\u001b\u007f\u009b\u2028\u202e\u2066é"# + "\u{200D}\"")
    #expect(try JSON(parsing: Array(written.utf8), file: "t").string == text)
  }

  @Test func commentsAreReadWhereTheyAreAllowed() throws {
    let text = Array("// a\r\n{\"a\": 1, // b \"c\" //\n \"u\": \"http://x\" //\n} // end".utf8)
    let value = try JSON(parsing: text, file: "c", allowing: .comments)
    #expect(value == .object([.init("a", .integer(1)), .init("u", .string("http://x"))]))
    #expect(throws: InputError.badData("c:1:1", "malformed JSON: expected a value, found \"/\"")) {
      try JSON(parsing: text, file: "c")
    }
    for wrong in ["{} / x", "[1, / 2]", "/* x */ 1", "// only"] {
      #expect(throws: InputError.self) { try JSON(parsing: Array(wrong.utf8), file: "c", allowing: .comments) }
    }
  }
}
