import Diagnostics
import FileFormats

/// What `tokenizer.ggml.pre` of a GGUF file stands for: how texts are split into words, and what else the tokenizers of
/// that name have in common.
///
/// A name stands for the tokenizer.json of a model. llama.cpp approximates some of them; these are as Hugging Face has
/// them. They differ in the normalizer, which llama.cpp leaves out (Qwen 2, GPT-NeoX, OLMo, MPT and Command R have NFC),
/// in how digits are split (Falcon, DeepSeek), and in `(?i:…)`, which also matches "ſ".
///
/// Source: llama.cpp, `convert_hf_to_gguf_update.py` (the model of each name) and `src/llama-vocab.cpp`.
struct GGUFPreTokenizer {
  /// The steps as a tokenizer.json writes them.
  private let steps: [String]
  private(set) var normalizer: Normalizer?
  /// A word that is itself a token becomes that token, without merges.
  private(set) var ignoresMerges = false
  /// Whether texts begin with the beginning-of-text token if the file does not say so.
  private(set) var beginsTexts = false

  private init(_ steps: String..., isComposed: Bool = false, ignoresMerges: Bool = false, beginsTexts: Bool = false) {
    self.steps = steps
    normalizer = isComposed ? .form(.nfc) : nil
    self.ignoresMerges = ignoresMerges
    self.beginsTexts = beginsTexts
  }

  /// What a name stands for, or a file without a name.
  ///
  /// Such a file is older than the names. Its architecture then tells which tokenizer it has; any other has the words of
  /// GPT-2, as most byte-level tokenizers had then, and not the "default" of llama.cpp, which no model was trained with.
  ///
  /// - Throws: `InputError.badData` for a name that is not known.
  init(named name: String?, architecture: String, file: String) throws {
    let name = name.flatMap { $0.isEmpty || $0 == "default" ? nil : $0 }
    guard let found = Self.all[name ?? Self.namesOfArchitectures[architecture] ?? "gpt-2"] else {
      throw InputError.badData(
        file,
        "\"tokenizer.ggml.pre\" is \(JSON.string(name ?? "").shortDescription); expected one of "
          + "\(Self.all.keys.sorted().joined(separator: ", ")); or \(GGUFTokenizer.remedy)"
      )
    }
    self = found
  }

  /// The steps, the last of which turn to bytes.
  func preTokenizer() throws -> PreTokenizer {
    let text = #"{"type": "Sequence", "pretokenizers": [\#(steps.joined(separator: ", "))]}"#
    let name = "tokenizer.ggml.pre"
    return try PreTokenizer(
      reading: Members(of: JSON(parsing: Array(text.utf8), file: name), called: "pre_tokenizer", in: name))
  }

  private static let namesOfArchitectures = [
    "bloom": "bloom", "codeshell": "codeshell", "command-r": "command-r", "falcon": "falcon", "gptneox": "olmo",
    "mpt": "mpt", "olmo": "olmo", "qwen2": "qwen2", "qwen2moe": "qwen2", "qwen3": "qwen2", "qwen3moe": "qwen2",
    "refact": "refact", "starcoder": "starcoder", "starcoder2": "starcoder",
  ]

  /// The tokenizers by name.
  private static let all: [String: GGUFPreTokenizer] = {
    let gpt2 = GGUFPreTokenizer(wordsOfGPT2)
    let neoX = GGUFPreTokenizer(wordsOfGPT2, isComposed: true)
    let digits = GGUFPreTokenizer(singleDigits, wordsOfGPT2)
    let llama3 = GGUFPreTokenizer(split(Self.llama3), byteLevel, ignoresMerges: true)
    // The same with a beginning of text; Falcon 3 has none, whatever llama.cpp does.
    let beginningLlama3 = GGUFPreTokenizer(split(Self.llama3), byteLevel, ignoresMerges: true, beginsTexts: true)
    let cl100k = GGUFPreTokenizer(split(Self.llama3), byteLevel)
    let qwen2 = GGUFPreTokenizer(split(Self.qwen2), byteLevel, isComposed: true)
    let bloom = GGUFPreTokenizer(split(Self.bloom), byteLevel)
    let o200k = GGUFPreTokenizer(split(cased(tail: contractions + "?", digits: "{1,3}")), byteLevel)
    return [
      "gpt-2": gpt2, "phi-2": gpt2, "exaone4": gpt2, "granite-docling": gpt2, "jais": gpt2, "trillion": gpt2,
      "mpt": neoX, "olmo": neoX,
      "starcoder": digits, "smollm": digits, "refact": digits, "codeshell": digits, "exaone": digits,
      "minerva-7b": digits,
      "command-r": GGUFPreTokenizer(singleDigits, wordsOfGPT2, isComposed: true),
      "llama3": beginningLlama3, "llama-v3": beginningLlama3, "llama-bpe": beginningLlama3, "pixtral": beginningLlama3,
      "lfm2": beginningLlama3, "falcon3": llama3, "falcon-h1": llama3, "midm-2.0": llama3,
      "dbrx": cl100k, "smaug-bpe": cl100k, "chatglm-bpe": cl100k, "glm4": cl100k,
      "qwen2": qwen2, "deepseek-r1-qwen": qwen2, "kormo": qwen2, "f2llmv2": qwen2, "megrez": qwen2,
      "qwen35": GGUFPreTokenizer(split(qwen35), byteLevel, isComposed: true),
      "stablelm2": GGUFPreTokenizer(split(Self.qwen2), byteLevel),
      "gpt-4o": o200k, "llama4": o200k, "kanana2": o200k,
      "tekken": GGUFPreTokenizer(
        split(cased(tail: "", digits: "")), byteLevel, ignoresMerges: true, beginsTexts: true),
      "bloom": bloom, "poro-chat": bloom, "gpt3-finnish": bloom,
      "viking": GGUFPreTokenizer(split(Self.bloom), singleDigits, byteLevel),
      "falcon": GGUFPreTokenizer(
        #"{"type": "Punctuation", "behavior": "Contiguous"}"#, wordsOfGPT2, #"{"type": "Digits"}"#,
        split("[0-9][0-9][0-9]")),
      "deepseek-llm": GGUFPreTokenizer(
        split(#"[\r\n]"#), split(casedLetters), split(#"\s?[!-/:-~！-／：-～‘-‟　-。]+"#), split(#"\s+$"#), split(ideographs),
        singleDigits, byteLevel),
      "deepseek-coder": GGUFPreTokenizer(
        split(#"[\r\n]"#), split(#"\s?\p{L}+"#), split(#"\s?\p{P}+"#), split(ideographs), singleDigits, byteLevel),
      "deepseek-v3": GGUFPreTokenizer(split(#"\p{N}{1,3}"#), split("[一-龥぀-ゟ゠-ヿ]+"), split(deepSeek3), byteLevel),
    ]
  }()

  // MARK: - Steps

  private static func split(_ pattern: String) -> String {
    #"""
    {"type": "Split", "pattern": {"Regex": \#(JSON.string(pattern).compact)}, "behavior": "Isolated", "invert": false}
    """#
  }

  private static let byteLevel = #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}"#
  private static let wordsOfGPT2 = #"{"type": "ByteLevel", "add_prefix_space": false}"#
  private static let singleDigits = #"{"type": "Digits", "individual_digits": true}"#

  // MARK: - Patterns

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let llama3 =
    #"\#(contractions)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\#(spaces)"#
  private static let qwen2 =
    #"\#(contractions)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\#(spaces)"#
  private static let qwen35 =
    #"\#(contractions)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\#(spaces)"#
  private static let bloom = " ?[^(\\s|[.,!?…。，、।۔،])]+"
  private static let ideographs = "[一-龥ࠀ-一가-퟿]+"
  private static let deepSeek3 =
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"##
    + spaces

  /// Words whose capitals come first; what may end them, and how many digits stay together.
  private static func cased(tail: String, digits: String) -> String {
    let capital = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, small = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
    let start = #"[^\r\n\p{L}\p{N}]?"#
    return #"\#(start)\#(capital)*\#(small)+\#(tail)|\#(start)\#(capital)+\#(small)*\#(tail)"#
      + #"|\p{N}\#(digits)| ?[^\s\p{L}\p{N}]+[\r\n/]*|\#(spaces)"#
  }

  /// The letters that have cases, as DeepSeek lists them.
  private static let casedLetters =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u{1F7D}ᾀ-ᾴᾶ-ᾼ\u{1FBE}ῂ-ῄῆ-ῌῐ-\u{1FD3}ῖ-\u{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓ"
    + "ℕℙ-ℝℤ\u{2126}ℨ\u{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
}
