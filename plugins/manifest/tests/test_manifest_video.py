"""Videos in folders, animated images and files."""

from __future__ import annotations

import pickle
import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

SIZE = (32, 24)
OPEN = {"clip": {"column": "clip", "kind": "video"}}


def video(**options):
    return {"modalities": {"clip": {"column": "clip", "kind": "video", **options}}}


def rows(*names):
    return "clip,label\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(names))


def shade(image):
    return float(np.asarray(image.convert("L")).mean())


@pytest.fixture
def folder(tmp_path):
    """A folder of twelve frames, frame i of shade 10 i, with what else lies about."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for i in range(12):
        Image.new("L", SIZE, 10 * i).save(folder / f"Frame{i}.png")
    (folder / ".frame0.png").write_bytes(b"hidden")
    (folder / "notes.txt").write_text("no frame")
    return folder


@pytest.fixture
def record(tmp_path):
    """Write a video whose frame i has shade 4 i, and return the shades that it decodes to."""
    av = pytest.importorskip("av", reason="the extra mmbench-manifest[video] is not installed")

    def record(name, codec, n=60, times=None, **options):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            stream.bit_rate = 8_000_000
            stream.time_base = Fraction(1, 25)
            for i in range(n):
                pixels = np.full((*SIZE[::-1], 3), 4 * i, np.uint8)
                pixels[: SIZE[1] // 2, : SIZE[0] // 2] = 255
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                frame.pts = i if times is None else times[i]
                frame.time_base = Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with av.open(str(tmp_path / name)) as container:
            return [shade(frame.to_image()) for frame in container.decode(video=0)]

    return record


def test_a_folders_frames_are_in_natural_order(make, folder):
    manifest = make(rows("clip", ""), **video(frame_rate=25))
    assert manifest.modalities == {"clip": "video"}
    items = manifest.items("clip")
    assert items.missing.tolist() == [False, True]
    clip = items[0]
    assert clip.frame_rate == 25
    assert len(clip) == 12
    assert [shade(frame) for frame in clip] == [10 * i for i in range(12)]
    assert shade(clip[-1]) == 110
    assert items[1] is None
    with pytest.raises(IndexError):
        clip[12]


def test_frames_are_decoded_one_by_one(make, folder):
    (folder / "Frame3.png").write_bytes(b"no image")
    clip = make(rows("clip", ""), **video(frame_rate=25)).items("clip")[0]
    assert shade(clip[2]) == 20
    with pytest.raises(OSError, match=r"clip cannot be read as video: Frame3\.png cannot be .+"):
        clip[3]
    assert shade(clip[4]) == 40


def test_a_slice_of_a_video_is_a_video(make, folder):
    clip = make(rows("clip", ""), **video(frame_rate=24)).items("clip")[0]
    part = clip[2:10:4]
    assert [shade(frame) for frame in part] == [20, 60]
    assert part.frame_rate == 6
    assert clip[::-1].frame_rate == 24
    assert shade(clip[::-1][0]) == 110


@pytest.mark.parametrize(
    ("frames", "expected"), [(1, [6]), (3, [2, 6, 10]), (4, [1, 4, 7, 10]), (12, None), (99, None)]
)
def test_frames_evenly_spread_keep_the_duration(make, folder, frames, expected):
    clip = make(rows("clip", ""), **video(frame_rate=24, frames=frames)).items("clip")[0]
    assert [shade(frame) / 10 for frame in clip] == (expected or list(range(12)))
    assert len(clip) / clip.frame_rate == pytest.approx(0.5)


def test_frames_are_upright(make, folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", SIZE).save(folder / "Frame0.png", exif=exif)
    clip = make(rows("clip", ""), **video(frame_rate=25)).items("clip")[0]
    assert clip[0].size == SIZE[::-1]
    assert clip[1].size == SIZE


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "apng"])
def test_animated_images(make, tmp_path, suffix):
    frames = [Image.new("RGB", SIZE, (40 * i, 0, 0)) for i in range(6)]
    kind = {"save_all": True, "append_images": frames[1:], "duration": 40}
    if suffix == "webp":
        kind["lossless"] = True
    frames[0].save(tmp_path / f"a.{suffix}", format="PNG" if "png" in suffix else None, **kind)
    clip = make(rows(f"a.{suffix}", ""), **OPEN_ALL).items("clip")[0]
    assert len(clip) == 6
    reds = [frame.convert("RGB").getpixel((3, 3))[0] for frame in clip]
    np.testing.assert_allclose(reds, [40 * i for i in range(6)], atol=2)
    assert clip[1].convert("RGB").getpixel((0, 0))[0] == reds[1]
    assert clip.frame_rate == pytest.approx(25)
    assert pickle.loads(pickle.dumps(clip))[2].size == SIZE
    fixed = make(rows(f"a.{suffix}", ""), **video(frame_rate=10, frames=2)).items("clip")[0]
    assert [frame.convert("RGB").getpixel((0, 0))[0] for frame in fixed] == [reds[1], reds[4]]
    assert fixed.frame_rate == pytest.approx(10 / 3)


OPEN_ALL = {"modalities": OPEN}


def test_frames_of_unequal_duration(make, tmp_path):
    frames = [Image.new("L", SIZE, 60 * i) for i in range(4)]
    frames[0].save(
        tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 20, 80, 200]
    )
    assert make(rows("a.gif", ""), **OPEN_ALL).items("clip")[0].frame_rate == 10


def test_an_image_alone_is_a_video_of_one_frame(make, tmp_path):
    Image.new("L", SIZE, 9).save(tmp_path / "a.png")
    clip = make(rows("a.png", ""), **OPEN_ALL).items("clip")[0]
    assert [shade(frame) for frame in clip] == [9]
    with pytest.raises(OSError, match=r"a\.png cannot .+: it does not say its frame rate; give"):
        clip.frame_rate  # noqa: B018
    assert make(rows("a.png", ""), **video(frame_rate=2.5)).items("clip")[0].frame_rate == 2.5


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": "12", "bf": "3"}),
        ("a.mkv", "libx264", {"x264-params": "keyint=10:open-gop=1:bframes=3"}),
        ("a.webm", "libvpx-vp9", {"g": "15"}),
        ("a.avi", "mpeg4", {"bf": "2"}),
        ("a.ts", "mpeg2video", {"g": "9", "bf": "2"}),
    ],
)
def test_a_video_file_is_exact_to_the_frame_in_any_order(make, record, name, codec, options):
    expected = record(name, codec, **options)
    assert len(set(expected)) == 60
    clip = make(rows(name, ""), **OPEN_ALL).items("clip")[0]
    assert len(clip) == 60
    assert clip.frame_rate == pytest.approx(25)
    assert [shade(frame) for frame in clip] == expected
    order = np.random.default_rng(0).permutation(60)
    assert [shade(clip[i]) for i in order] == [expected[i] for i in order]
    assert shade(pickle.loads(pickle.dumps(clip))[7]) == expected[7]
    few = make(rows(name, ""), **video(frames=4)).items("clip")[0]
    assert [shade(frame) for frame in few] == [expected[i] for i in (7, 22, 37, 52)]
    assert few.frame_rate == pytest.approx(25 / 15)


def test_a_varying_frame_rate(make, record):
    times = np.cumsum(np.random.default_rng(1).integers(1, 6, 40)).tolist()
    expected = record("a.mkv", "libx264", n=40, times=times)
    clip = make(rows("a.mkv", ""), **OPEN_ALL).items("clip")[0]
    assert [shade(clip[i]) for i in (31, 3, 4, 39)] == [expected[i] for i in (31, 3, 4, 39)]


def test_a_video_recorded_upright_is_given_upright(make, record, tmp_path):
    record("a.mp4", "libx264", n=3)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    matrix = content.find(b"tkhd") + 44
    quarter = (0, 1 << 16, 0, -1 << 16, 0, 0, SIZE[1] << 16, 0, 1 << 30)
    content[matrix : matrix + 36] = struct.pack(">9i", *quarter)
    (tmp_path / "b.mp4").write_bytes(content)
    items = make(rows("a.mp4", "b.mp4"), **OPEN_ALL).items("clip")
    as_recorded, upright = np.asarray(items[0][0]), np.asarray(items[1][0])
    np.testing.assert_array_equal(np.rot90(as_recorded, -1), upright)
    assert items[1][0].size == SIZE[::-1]


def test_broken_video_files_name_themselves(make, record, tmp_path, write):
    record("a.mp4", "libx264", n=20)
    content = (tmp_path / "a.mp4").read_bytes()
    write("cut.mp4", content[:300])
    write("no.mp4", b"no video at all")
    write("no.gif", b"no image at all")
    write("empty.mkv", b"")
    names = ("cut.mp4", "no.mp4", "no.gif", "empty.mkv")
    items = make(rows(*names), **OPEN_ALL).items("clip")
    for index, name in enumerate(names):
        with pytest.raises(OSError, match=rf"^{name} cannot be read as video: .+$"):
            items[index]


def test_a_sound_is_no_video(make, record, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    items = make(rows("a.wav", ""), **OPEN_ALL).items("clip")
    with pytest.raises(OSError, match=r"a\.wav cannot be read as video: it has no video stream"):
        items[0]


def test_without_pyav_the_extra_is_named(refused, write, monkeypatch):
    import mmbench_manifest.video

    monkeypatch.setattr(mmbench_manifest.video, "find_spec", lambda name: None)
    write("a.mp4", b"")
    assert refused(rows("", "a.mp4"), **OPEN_ALL) == (
        "m.csv: modalities.clip.column: column 'clip' names 'a.mp4' in row 2: "
        "video files need PyAV; pip install 'mmbench-manifest[video]'"
    )


def test_a_folder_without_frames_or_frame_rate(refused, folder):
    (folder.parent / "empty").mkdir()
    assert refused(rows("clip", "empty"), **video(frame_rate=5)) == (
        "m.csv: modalities.clip.column: column 'clip' names 'empty' in row 2: "
        "it holds no image file"
    )
    assert refused(rows("clip", ""), **OPEN_ALL) == (
        "m.csv: modalities.clip.column: column 'clip' names 'clip' in row 1: "
        "a folder does not say its frame rate; give frame_rate"
    )
    message = refused(rows("clip", "clop"), FileNotFoundError, **video(frame_rate=5))
    assert "names no file or folder in row 2, 'clop': 'clop' is not in" in message
    assert message.endswith("did you mean 'clip'?")


def test_a_frame_that_goes_missing_is_named(make, folder):
    clip = make(rows("clip", ""), **video(frame_rate=25)).items("clip")[0]
    (folder / "Frame5.png").unlink()
    with pytest.raises(OSError, match=r"clip cannot be read as video: Frame5\.png"):
        clip[5]


def test_the_fingerprint_is_of_frames_in_order_and_of_options(make, folder):
    def printed(**options):
        return make(rows("clip", ""), **video(**options)).fingerprint("clip")

    one = printed(frame_rate=25)
    assert printed(frame_rate=25.0) == one
    (folder / "notes.txt").write_text("changed")
    (folder / "Frame11.png").rename(folder / "frame0011.png")
    assert printed(frame_rate=25) == one
    prints = {one, printed(frame_rate=30), printed(frame_rate=25, frames=4)}
    (folder / "Frame1.png").rename(folder / "x")
    (folder / "Frame2.png").rename(folder / "Frame1.png")
    (folder / "x").rename(folder / "Frame2.png")
    prints.add(printed(frame_rate=25))
    Image.new("L", SIZE, 1).save(folder / "Frame0.png")
    prints.add(printed(frame_rate=25))
    assert len(prints) == 5
