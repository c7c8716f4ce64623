import FileFormats
import System
import Testing
import TestSupport

/// Templates of several columns and of chats, in every command that reads rows.
@Suite struct TemplateTests {
  /// A task whose texts are in the columns "title" and "body".
  private func writeColumns(_ example: inout WorkingExample) throws {
    example.set("template", "input", .string("{title}\n{{}} {body}"))
    try example.write()
    let lines = (0..<16).map { row in
      row % 2 == 0 ? "parcel \(row)\tdelivery\tis late" : "refund \(row)\tbilling\tme please"
    }
    try writeAtomically((["title\tlabel\tbody"] + lines).joined(separator: "\n"), to: example.folder + "/train.tsv")
  }

  @Test func severalColumnsAreOneInput() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      try writeColumns(&example)
      let inspected = try Program.run(["inspect", "--config", "config.json"], in: folder)
      #expect(inspected.status == 0, "\(inspected.errors)")
      let trained = try example.trainRun()
      #expect(trained.status == 0, "\(trained.errors)")
      let evaluation = try Program.run(
        ["eval", "--checkpoint", "run/best", "--predictions", "p.jsonl"], in: folder)
      #expect(evaluation.status == 0, "\(evaluation.errors)")
      let record = try JSON(
        parsing: Array(readBytes(of: folder + "/p.jsonl").split(separator: UInt8(ascii: "\n"))[0]), file: "p")
      #expect(record["text"]?.string == "parcel 0\n{} is late")
      // The same rows in another order of columns, as JSON, and one that lacks a column.
      let rows = """
        {"body": "is late", "title": "parcel 0"}
        {"title": "parcel 2"}
        {"title": "", "body": "is late"}
        {"title": " ", "body": ""}
        """
      try writeAtomically(rows, to: folder + "/new.jsonl")
      let predict = ["predict", "--checkpoint", "run/best", "--data"]
      let outcome = try Program.run(predict + ["new.jsonl", "--skip-bad"], in: folder)
      #expect(
        outcome.status == 0 && outcome.errors.contains("new.jsonl:2: has no text under \"body\""), "\(outcome.errors)")
      #expect(outcome.errors.contains("new.jsonl:4: the texts (\"title\" and \"body\") are empty"), "\(outcome.errors)")
      let found = try outcome.output.split(separator: "\n").map { try JSON(parsing: Array($0.utf8), file: "p") }
      #expect(found.count == 2)
      for label in ["billing", "delivery"] {
        let value = try #require(found[0]["log_probabilities"]?[label]?.number)
        #expect(abs(value - (record["log_probabilities"]?[label]?.number ?? 0)) < 1e-5)
      }
      for (flags, status, words) in [
        (["train.tsv", "--text-column", "title"], 64, "--text-column: chooses the column of {} in template.input"),
        (
          ["-", "--format", "lines"], 65,
          "template.input: takes the column \"title\", and lines of text have no columns"
        ),
      ] as [([String], Int32, String)] {
        let outcome = try Program.run(predict + flags, in: folder, input: Array("a\n".utf8))
        #expect(outcome.status == status && outcome.errorLine.contains(words), "\(outcome.errors)")
      }
      let generated = try Program.run(["generate", "--checkpoint", "run/best", "--prompt", "a b"], in: folder)
      #expect(generated.status == 64 && generated.errorLine.contains("template.input takes 2 columns"))
      let exported = try Program.run(["export-prompt", "--checkpoint", "run", "--output", "e"], in: folder)
      #expect(exported.status == 0, "\(exported.errors)")
      let card = try String(decoding: readBytes(of: folder + "/e/README.md"), as: UTF8.self)
      #expect(card.contains(#"row["title"], "\n{} ", row["body"]"#), "\(card)")
    }
  }

  @Test(arguments: [
    ("{titel}: {}", "train.tsv:1: has no column \"titel\"; did you mean \"title\"? (template.input names it)"),
    ("{title} {label}", "\"template.input\" takes \"label\", the column of the labels"),
    ("{title", "\"template.input\" must be a string with {} or {column} in it"),
    ("{} {}", "\"template.input\" must be a string with {} or {column} in it"),
    ("no text", "\"template.input\" must be a string with {} or {column} in it"),
  ])
  func wrongPatternsAreRefused(input: String, problem: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      try writeColumns(&example)
      let outcome = try example.trainRun(["--set", "template.input=" + JSON.string(input).compact])
      #expect(outcome.status == 65 || outcome.status == 64)
      #expect(outcome.errorLine.contains(problem), "\(outcome.errors)")
    }
  }

  /// A copy of the quickstart's model with a chat template.
  private func writeChatModel(_ template: String?, in folder: String) throws {
    let model = repository + "/configs/quickstart/model"
    try makeDirectory(folder + "/model")
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
      try writeAtomically(readBytes(of: model + "/" + name), to: folder + "/model/" + name)
    }
    let settings = JSON.object([
      .init("tokenizer_class", .string("PreTrainedTokenizerFast")),
      .init("chat_template", template.map(JSON.string) ?? .null),
    ])
    try writeAtomically(settings.compact, to: folder + "/model/tokenizer_config.json")
  }

  private static let chat =
    "{% if messages[0].role != 'system' %}<|system|>Be kind.\n{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"

  @Test func chatsAreTurnsOfOneConversation() throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      try writeChatModel(Self.chat, in: folder)
      example.configuration["base_model_name_or_path"] = .string("model")
      example.configuration["template"] = .object([.init("chat", .bool(true))])
      try example.write()
      let trained = try example.trainRun()
      #expect(trained.status == 0, "\(trained.errors)")
      let inspected = try Program.run(["inspect", "--checkpoint", "run", "--json"], in: folder)
      #expect(inspected.status == 0, "\(inspected.errors)")
      // A chat says the same as its text written by hand.
      func losses(_ flags: [String]) throws -> [Double?] {
        let outcome = try Program.run(["eval", "--json"] + flags, in: folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return [try outcome.json()["cpt"]?["loss"]?.number, try outcome.json()["icl"]?["loss"]?.number]
      }
      let chat = try losses(["--checkpoint", "run/best"])
      let plain = try losses([
        "--checkpoint", "run/best", "--set", "template.chat=false", "--set", "template.input=\"<|user|>{}\"", "--set",
        "template.intra_separator=\"\\n\"", "--set", "template.output=\"<|assistant|>{}\"", "--set",
        "template.tokenization=\"whole\"",
      ])
      #expect(chat == plain && chat[0] != nil)
      let context = try #require(
        JSON(parsing: readBytes(of: folder + "/run/best/adapter_config.json"), file: "a")["cpt_token_ids"]?.array)
      let types = try #require(
        JSON(parsing: readBytes(of: folder + "/run/best/adapter_config.json"), file: "a")["cpt_tokens_type_mask"]?.array
      )
      #expect(context.count == types.count && types.first?.integer == 0)
      for command in [
        ["predict", "--checkpoint", "run/best", "--data", "train.tsv"],
        ["generate", "--checkpoint", "run/best", "--prompt", "my parcel", "--max-tokens", "2"],
      ] {
        let outcome = try Program.run(command, in: folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
    }
  }

  /// init measures the chat template among the others.
  @Test func initTriesChats() throws {
    try withTemporaryFolder { folder in
      try writeChatModel(Self.chat, in: folder)
      var example = WorkingExample(in: folder)
      example.train += example.train.map { ($0.0 + " again", $0.1) }
      try example.write()
      let outcome = try Program.run(["init", "--data", "train.tsv", "--model", "model"], in: folder)
      #expect(outcome.status == 0 && outcome.output.contains("; chat "), "\(outcome.output)\(outcome.errors)")
      try writeChatModel("{{ lipsum() }}", in: folder)
      let without = try Program.run(["init", "--data", "train.tsv", "--model", "model", "--overwrite"], in: folder)
      #expect(without.status == 0 && !without.output.contains("chat"), "\(without.output)\(without.errors)")
    }
  }

  @Test(arguments: [
    (nil, "chat=true", "template.chat: is true, and model has no chat template"),
    ("{{ lipsum() }}", "chat=true", "tokenizer_config.json: chat template, line 1, column 10: the function \"lipsum\""),
    ("{% if %}", "chat=true", "chat template, line 1, column 7: expected a value"),
    (
      "{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}", "chat=true",
      "tokenizer_config.json: the chat template does not lay out every turn alike"
    ),
    (TemplateTests.chat, "system=\"a\"", "\"template.system\" needs \"template.chat\""),
    (
      TemplateTests.chat, "emit_inter_separator=true", "\"template.emit_inter_separator\" contradicts \"template.chat\""
    ),
    (TemplateTests.chat, "beginning_of_text=true", "\"template.beginning_of_text\" contradicts \"template.chat\""),
  ])
  func chatsThatCannotBe(template: String?, setting: String, problem: String) throws {
    try withTemporaryFolder { folder in
      var example = WorkingExample(in: folder)
      try writeChatModel(template, in: folder)
      example.configuration["base_model_name_or_path"] = .string("model")
      if problem.contains("contradicts") { example.set("template", "chat", .bool(true)) }
      try example.write()
      let outcome = try example.trainRun(["--set", "template." + setting])
      #expect(outcome.status == 65, "\(outcome.errors)")
      #expect(outcome.errorLine.contains(problem), "\(outcome.errors)")
    }
  }
}
