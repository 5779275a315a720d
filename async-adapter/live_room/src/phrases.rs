//! Phrases made up to an exact length, for a recording that kept lengths only.

use roomcast_replay::random::SplitMix64;

/// Words by their length in bytes: the words at index 0 have 1 byte, those at index 1 have 2, and so on.
const WORDS: [&[&str]; 12] = [
    &["w", "!", "?"],
    &["gg", "hi", "oh", "yo", "xD", "go"],
    &["wow", "yes", "lol", "草", "omg", "now"],
    &["nice", "🔥", "🎉", "love", "haha", "💖", "👏", "this", "😂", "✨!"],
    &["hello", "music", "again", "first", "whoa!", "great", "right", "voice"],
    &["encore", "最高", "神回", "please", "my god", "好听", "lovely", "chills"],
    &["amazing", "so good", "finally", "perfect", "we love", "hi all!"],
    &["the drop", "good one", "so hyped", "👏👏", "🔥🔥", "hi again"],
    &[
        "beautiful",
        "すごい",
        "brilliant",
        "hello all",
        "太好听",
        "wonderful",
        "that bass",
        "from Oslo",
        "from Lima",
    ],
    &["incredible", "no way wow", "can't wait", "here we go", "best night"],
    &["masterpiece", "what a show", "unreal live", "play it all"],
    &["love it 💖", "so good 🔥", "ありがと", "this is art!", "🎉🎉🎉"],
];

/// Makes up the phrase of message `index`: pleasant to read and exactly `bytes` bytes of UTF-8.
///
/// The same seed, index and length give the same phrase, whatever was asked before.
pub(crate) fn phrase(seed: u64, index: u64, bytes: usize) -> String {
    let mut random = SplitMix64::at(seed, index);
    let mut phrase = String::with_capacity(bytes);
    let mut last = "";
    // Words and spaces while there is room for more than one word; then one word that fits exactly.
    while bytes - phrase.len() > WORDS.len() {
        let word = random.pick(&WORDS[2..WORDS.len() - 2]).and_then(|words| random.pick(words));
        let Some(&word) = word.filter(|&&word| word != last) else {
            continue;
        };
        phrase.push_str(word);
        phrase.push(' ');
        last = word;
    }
    let rest = bytes - phrase.len();
    if let Some(&word) = rest.checked_sub(1).and_then(|length| random.pick(WORDS.get(length)?)) {
        phrase.push_str(word);
    }
    phrase
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_the_length_of_its_row() {
        for (index, words) in WORDS.iter().enumerate() {
            for word in *words {
                assert_eq!(word.len(), index + 1, "{word}");
            }
        }
    }

    #[test]
    fn every_length_is_exact() {
        for bytes in (0..=2_000).chain([12 * 1024 - 1, 12 * 1024]) {
            for index in 0..3 {
                assert_eq!(phrase(1, index, bytes).len(), bytes);
            }
        }
    }

    #[test]
    fn a_phrase_depends_on_seed_and_index_only() {
        assert_eq!(phrase(7, 3, 40), phrase(7, 3, 40));
        assert_ne!(phrase(7, 3, 40), phrase(8, 3, 40));
        assert_ne!(phrase(7, 3, 40), phrase(7, 4, 40));
    }

    #[test]
    fn a_phrase_never_begins_or_ends_with_a_space() {
        for bytes in 0..300 {
            let phrase = phrase(5, bytes as u64, bytes);
            assert_eq!(phrase.trim(), phrase);
        }
    }
}
