import FileFormats
import System
import Testing
import TestSupport

/// Labels as people write them, from the table to the predictions.
@Suite struct LabelTests {
  private func words(_ pairs: [(String, String)]) -> JSON {
    .object(pairs.map { .init($0.0, .string($0.1)) })
  }

  /// White space around labels is none of theirs: the same run.
  @Test func labelsAreTrimmed() throws {
    func metrics(_ change: (inout WorkingExample) -> Void) throws -> (String, JSON) {
      try withTemporaryFolder { folder in
        var example = WorkingExample(in: folder)
        change(&example)
        try example.write()
        let outcome = try example.trainRun(["--threads", "1"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = String(decoding: try readBytes(of: folder + "/run/metrics.jsonl"), as: UTF8.self)
        let losses = lines.matches(of: /"loss": ?[0-9.e-]+/).map { String($0.0) }.joined(separator: " ")
        return (
          losses, try Program.run(["eval", "--checkpoint", "run/best", "--json"], in: folder).json()["cpt"] ?? .null
        )
      }
    }
    let plain = try metrics { _ in }
    let spaced = try metrics { example in
      example.train = example.train.enumerated().map { ($1.0, [$1.1, " \($1.1)", "\($1.1) \u{A0}"][$0 % 3]) }
    }
    #expect(plain == spaced && !plain.0.isEmpty)
    let mapped = try metrics { example in
      example.set("data", "label_words", words([("billing ", "billing"), (" delivery", "delivery")]))
    }
    #expect(mapped.0 == plain.0)
  }

  /// Labels with one word are one class, everywhere.
  @Test func labelsWithOneWordAreOneClass() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      example.train = example.train.enumerated().map { ($1.0, $0 % 4 == 0 ? "Parcels" : $1.1) }
      example.set(
        "data", "label_words", words([("Parcels", "delivery"), ("billing", "billing"), ("delivery", "delivery")]))
      try example.write()
      #expect(try example.trainRun().status == 0)
      let inspected = try Program.run(["inspect", "--config", "config.json", "--json"], in: folder).json()
      #expect((inspected["labels"]?.array ?? []).map { $0["label"]?.string } == ["Parcels", "billing"])
      let evaluation = try Program.run(["eval", "--checkpoint", "run/best", "--json"], in: folder).json()["cpt"]
      #expect(evaluation?["labels"] == .array([.string("Parcels"), .string("billing")]))
      #expect(evaluation?["per_class"]?["Parcels"]?["support"]?.integer == 8, "\(evaluation?.compact ?? "")")
      let predicted = try Program.run(["predict", "--checkpoint", "run/best", "--data", "train.tsv"], in: folder)
      #expect(
        predicted.output.hasPrefix(
          "text\tlabel\tprediction\tprobability\tlog_probability_Parcels\tlog_probability_billing\n"),
        "\(predicted.output.prefix(200))")
      // A label of the test that only the map knows.
      try writeAtomically("text\tlabel\nmy parcel is late\tdelivery\n", to: folder + "/new.tsv")
      let other = try Program.run(["eval", "--checkpoint", "run/best", "--data", "new.tsv", "--json"], in: folder)
      #expect(try other.json()["cpt"]?["per_class"]?["Parcels"]?["support"]?.integer == 1, "\(other.errors)")
      try writeAtomically("text\tlabel\nmy parcel is late\tparcels\n", to: folder + "/new.tsv")
      let unknown = try Program.run(["eval", "--checkpoint", "run/best", "--data", "new.tsv"], in: folder)
      #expect(
        unknown.errorLine.contains(
          "new.tsv:2: label \"parcels\" is not one of \"Parcels\", \"billing\"; it differs from \"Parcels\" only in"),
        "\(unknown.errors)")
    }
  }
}
