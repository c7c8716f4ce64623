import Diagnostics
import FileFormats
import Testing

private struct Leg: Record, Equatable {
  var length = 0.0
  var double: Double { 2 * length }

  static let fields: [Field<Leg>] = [
    Field("length", \.length, .number, "how long it is"),
    .derived("double", \.double, .number, "twice that"),
  ]
}

private struct Table: Record, Equatable {
  var name = ""
  var colour: String?
  var weight: Double?
  var error = 0.0
  var legs: [Leg] = []
  var first = Leg()

  static let fields: [Field<Table>] =
    [
      Field("name", \.name, .text, "what it is called"),
      .optional("colour", \.colour, .text, "its colour"),
      Field("weight", \.weight, .null(or: .number), "how heavy it is"),
      Field("error", \.error, .measurement, "of the weight"),
      Field("legs", \.legs, .list("a list of legs", of: .record), "its legs"),
    ] + Leg.fields.map { $0.within(\.first) }
}

@Suite struct RecordTests {
  private func table(_ text: String) throws -> Table {
    try Table(JSON(parsing: Array(text.utf8), file: "t"), FieldOrigin("t:3"))
  }

  @Test(arguments: [
    #"{"name": "a", "weight": null, "error": 0.5, "legs": [], "length": 1.0, "double": 2.0}"#,
    #"{"name": "a", "colour": "red", "weight": 2.5, "error": 0.0, "legs": [{"length": 1.5, "double": 3.0}], "length": 0.0, "double": 0.0}"#,
  ])
  func recordsReadAsTheyWereWritten(text: String) throws {
    #expect(try table(text).json.compact == text)
  }

  /// Derived keys may say anything, and keys of a later version may be there.
  @Test func whatFollowsFromOtherKeysIsNotRead() throws {
    let table = try table(
      #"{"name": "a", "weight": null, "error": null, "legs": [{"length": 1}, {"length": 2, "double": "x"}], "length": 3, "more": 1}"#
    )
    #expect(table.legs == [Leg(length: 1), Leg(length: 2)] && table.first == Leg(length: 3))
    #expect(table.error.isNaN && table.colour == nil)
  }

  @Test(arguments: [
    (#"{}"#, "t:3: \"name\" must be a string, found nothing"),
    (#"{"name": "a", "colour": null}"#, "t:3: \"colour\" must be a string, found null"),
    (#"{"name": "a"}"#, "t:3: \"weight\" must be a number or null, found nothing"),
    (#"{"name": "a", "weight": "x"}"#, "t:3: \"weight\" must be a number or null, found \"x\""),
    (#"{"name": "a", "weight": 1, "error": 1, "legs": {}}"#, "t:3: \"legs\" must be a list of legs, found an object"),
    (#"{"name": "a", "weight": 1, "error": 1, "legs": [1]}"#, "t:3: \"legs\" must be a list of legs, found a list"),
    (
      #"{"name": "a", "weight": 1, "error": 1, "legs": [{"length": 1}, {}]}"#,
      "t:3: \"legs[1].length\" must be a number, found nothing"
    ),
    (#"[]"#, "t:3: expected an object { … }, found a list"),
  ])
  func whatIsWrongIsNamed(text: String, message: String) throws {
    let error = #expect(throws: InputError.self) { try table(text) }
    #expect(error?.description == message)
  }

  @Test func documentationNamesEveryKey() {
    #expect(
      Table.descriptions.map(\.path) == [
        "name", "colour", "weight", "error", "legs", "legs[].length", "legs[].double", "length", "double",
      ])
    #expect(Table.descriptions.map(\.presence)[1] == .sometimes)
  }
}
