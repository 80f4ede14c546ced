import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from llast.demo import phrasebook
from llast.demo.speech import VOICES_PER_LANGUAGE, Voice, encode_mp3, speak, voice_of
from llast.errors import ConfigError
from llast.languages import LANGUAGES

for wheel in ("espeakng_loader", "lameenc"):
    pytest.importorskip(wheel, reason="the demo's speech needs pip install 'llast[demo]'")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_is_heard(lang: str) -> None:
    text = phrasebook.render(phrasebook.Phrase(13), lang)
    samples, rate = speak(text, lang, voice_of(lang, 0))
    assert rate == 22_050
    assert samples.dtype == np.float32
    assert 0.7 < len(samples) / rate < 4
    loud = np.abs(samples).reshape(-1)[: len(samples) // 441 * 441].reshape(-1, 441).max(axis=1) > 0.02
    assert loud.mean() > 0.4, "most of a clip is speech"
    assert np.abs(samples).max() < 1


def test_a_clip_does_not_depend_on_what_was_spoken_before() -> None:
    voice = Voice("f2", 180, 50)
    first, _ = speak("Der Junge hat gestern zwei rote Äpfel gekauft.", "de", voice)
    speak("おとこのこはあかいりんごをかいました。", "ja", Voice("m1", 260, 70))
    again, _ = speak("Der Junge hat gestern zwei rote Äpfel gekauft.", "de", voice)
    np.testing.assert_array_equal(first, again)


def test_a_clip_is_the_same_in_another_process() -> None:
    here, _ = speak("Where is the station?", "en", voice_of("en", 7))
    code = (
        "import hashlib; from llast.demo.speech import speak, voice_of\n"
        "print(hashlib.sha256(speak('Where is the station?', 'en', voice_of('en', 7))[0].tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert hashlib.sha256(here.tobytes()).hexdigest() == there


def test_voices_differ_and_their_number_is_what_it_says() -> None:
    voices = [voice_of("fr", number) for number in range(VOICES_PER_LANGUAGE)]
    assert len(set(voices)) == VOICES_PER_LANGUAGE
    assert voice_of("fr", VOICES_PER_LANGUAGE) == voices[0]
    spoken = {speak("La porte est ouverte.", "fr", voice)[0].tobytes() for voice in voices[:9]}
    assert len(spoken) == 9


@pytest.mark.parametrize(("stereo_44k", "rate", "channels"), [(False, 48_000, 1), (True, 44_100, 2)])
def test_an_mp3_is_what_was_spoken(stereo_44k: bool, rate: int, channels: int) -> None:
    samples, spoken_rate = speak("La porte est ouverte.", "fr", voice_of("fr", 3))
    clip = encode_mp3(samples, spoken_rate, stereo_44k)
    assert clip == encode_mp3(samples, spoken_rate, stereo_44k)
    info = soundfile.info(io.BytesIO(clip))
    assert (info.format, info.samplerate, info.channels) == ("MP3", rate, channels)
    read = soundfile.read(io.BytesIO(clip), dtype="float32", always_2d=True)[0]
    spoken = soxr.resample(samples, spoken_rate, rate)
    assert len(read) == len(spoken), "without the codec's delay and padding"
    for channel in read.T:
        assert np.linalg.norm(channel - spoken) < 0.1 * np.linalg.norm(spoken)


def test_unknown_language_and_missing_wheel_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="'xx'"):
        speak("a", "xx", voice_of("fr", 0))
    with pytest.raises(ConfigError, match="'nobody'"):
        speak("a", "fr", Voice("nobody", 180, 50))
    from llast.demo.speech import _paths

    _paths.cache_clear()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setitem(sys.modules, "lameenc", None)
    with pytest.raises(ConfigError, match=r"espeakng_loader.*pip install 'llast\[demo\]'"):
        speak("a", "fr", voice_of("fr", 0))
    with pytest.raises(ConfigError, match=r"lameenc.*pip install 'llast\[demo\]'"):
        encode_mp3(np.zeros(2205, np.float32), 22_050)
    _paths.cache_clear()
