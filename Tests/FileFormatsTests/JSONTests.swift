import Diagnostics
import FileFormats
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

  @Test func writesNumbersThatReadBackTheSame() throws {
    for value in [0.1, 1e-5, 123456789.125, -1.5e300, 1 / 3.0] {
      #expect(try JSON(parsing: Array(JSON.number(value).compact.utf8), file: "t").number == value)
    }
    #expect(JSON.number(.nan).compact == "null")
  }

  @Test func commentsAreReadWhereTheyAreAllowed() throws {
    let text = Array("// a\r\n{\"a\": 1, // b \"c\" //\n \"u\": \"http://x\" //\n} // end".utf8)
    let value = try JSON(parsing: text, file: "c", allowsComments: true)
    #expect(value == .object([.init("a", .integer(1)), .init("u", .string("http://x"))]))
    #expect(throws: InputError.badData("c:1:1", "malformed JSON: expected a value, found \"/\"")) {
      try JSON(parsing: text, file: "c")
    }
    for wrong in ["{} / x", "[1, / 2]", "/* x */ 1", "// only"] {
      #expect(throws: InputError.self) { try JSON(parsing: Array(wrong.utf8), file: "c", allowsComments: true) }
    }
  }
}
