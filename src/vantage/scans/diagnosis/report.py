"""An examination as text for a person, and as plain values for a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vantage.scans.conventions import Convention
from vantage.scans.diagnosis.examine import Examination, Setting
from vantage.scans.diagnosis.hypotheses import hypothesis_of
from vantage.scans.diagnosis.search import Fit
from vantage.scans.diagnosis.verdict import FITS, PoseFinding

_SHOWN = 8


def text_of(name: str, layout: str, recorded: int, found: Examination) -> str:
    """What was found, how surely, and what to set."""
    poses = found.poses
    lines = [f"scan      {name}, layout {layout}, {recorded:,} frames recorded"]
    lines += [f"compared  {len(poses.pairs)} pairs of frames, {poses.points:,} points", ""]
    lines += [*_table(poses), ""] if poses.fits else []
    lines += [f"poses     {poses_text(poses)}"]
    lines += [f"depth     {_depth(poses)}"] if poses.fits else []
    lines += [f"up        {_up(found)}", f"colour    {_colour(found)}", f"time      {_time(found)}"]
    lines += [f"{kind:<9} {text}" for kind, text in _frames(found)]
    lines += ["", *settings_text(found.settings)] if found.settings else []
    return "\n".join(lines) + "\n"


def poses_text(poses: PoseFinding) -> str:
    """The verdict on poses in a sentence or two."""
    best = str(hypothesis_of(poses.best))
    if poses.verdict == "not_measured":
        return "not measured: no two frames with a pose share enough measured surface"
    share = f"{poses.share:.0%} of the points within 5 cm"
    if poses.verdict == "bad_poses":
        return (
            f"no hypothesis fits: the best, {best}, agrees on {poses.top.typical:.0%}. "
            "Poses, intrinsics or time stamps are bad."
        )
    lead = f"{poses.certainty}, {poses.margin:.2f} ahead of the next"
    alike = ", ".join(str(fit.hypothesis) for fit in poses.alike)
    same = f" The motion does not tell it from {alike}." if alike else ""
    if poses.verdict == "cannot_tell" and poses.top.typical < FITS:
        return f"cannot tell: {len(poses.pairs)} pairs share surface, too few to judge by; {best}: {share}."
    if poses.verdict == "cannot_tell":
        return (
            f"cannot tell: {best} agrees ({share}), but the camera moved too little to rule out others.{same}"
        )
    word = "as claimed" if hypothesis_of(poses.claimed) == hypothesis_of(poses.best) else "not as claimed"
    return f"{best}, {word} ({lead}); {share}.{same}"


def _table(poses: PoseFinding) -> Iterator[str]:
    yield f"  {'poses':<16} {'camera axes':<12} {'units per m':>11} {'within 5 cm':>12} {'within 2 %':>11}"
    for fit in poses.fits:
        units, h = f"{fit.units_per_m:.5g}", fit.hypothesis
        row = f"  {h.poses:<16} {h.camera_axes:<12} {units:>11} {fit.typical_5cm:>12.2f} {fit.share:>11.2f}"
        yield row + _mark(fit, poses)


def _mark(fit: Fit, poses: PoseFinding) -> str:
    marks = ["best"] if fit is poses.top else []
    marks += ["claimed"] if fit.hypothesis == hypothesis_of(poses.claimed) else []
    return f"  <- {', '.join(marks)}" if marks else ""


def _depth(poses: PoseFinding) -> str:
    units, top = f"{poses.best.depth_units_per_m:.5g} units per metre", poses.top
    if poses.scale_is_open:
        return (
            f"{units} is possible; the camera moved too little to tell (from {top.low:.3g} to {top.high:.3g})"
        )
    claimed = poses.claimed.depth_units_per_m
    word = "as claimed" if poses.best.depth_units_per_m == claimed else f"not {claimed:.5g} as claimed"
    return f"{units}, {word} (fits from {top.low:.4g} to {top.high:.4g})"


def _up(found: Examination) -> str:
    gravity = found.gravity
    if gravity is None:
        return "not measured: too little smooth surface"
    surely = "" if gravity.sure else "perhaps "
    floor = "no floor seen" if gravity.floor_m is None else f"floor at {gravity.floor_m:.2f} m"
    tilt = "" if found.tilt_deg is None else f", {found.tilt_deg:.1f} degrees off what is claimed"
    return (
        f"{surely}{gravity.up} ({gravity.off_deg:.1f} degrees off the axis{tilt}); {floor}; "
        f"{gravity.support:.0%} of the surface is level"
    )


def _colour(found: Examination) -> str:
    seen = found.registration
    if seen is None:
        return "not measured: too few edges of depth in colour images"
    place = f"{seen.dx_px:+.1f} px right, {seen.dy_px:+.1f} px down, focal length x {seen.focal_ratio:.2f}"
    if not seen.sure:
        return f"cannot tell whether it lies on depth (the best match: {place})"
    word = "beside depth" if "color_intrinsics" in found.settings else "on depth"
    return f"{word}: {place} ({seen.frames} frames, peak {seen.sureness:.0f} deviations high)"


def _time(found: Examination) -> str:
    delay = found.delay
    if not delay.seen:
        return f"an offset cannot be seen: {delay.why_not}"
    if not delay.delay_s:
        return "poses and images belong together: no offset makes frames agree better"
    shares = f"{delay.share_without:.0%} agree without, {delay.share:.0%} with it"
    return f"poses are stamped {-delay.delay_s:+.3f} s off ({shares})"


def _frames(found: Examination) -> Iterator[tuple[str, str]]:
    if outliers := found.poses.outliers:
        shown = ", ".join(f"{p.first} and {p.second} ({p.share:.0%})" for p in outliers[:_SHOWN])
        yield "disagree", f"frames {shown}{_more(len(outliers))}"
    if found.strays:
        shown = ", ".join(str(frame) for frame in found.strays[:_SHOWN])
        yield "strays", f"poses far off both neighbours: frames {shown}{_more(len(found.strays))}"
    if found.unreadable:
        yield "damaged", f"{found.unreadable[0]}{_more(len(found.unreadable), 1)}"


def _more(count: int, shown: int = _SHOWN) -> str:
    return f", and {count - shown} more" if count > shown else ""


def settings_text(settings: Mapping[str, Setting]) -> Iterator[str]:
    """Parameters as YAML to paste, and as arguments of a command."""
    yield "Set in params.yaml:"
    yield "extract:"
    yield "  capture:"
    yield from (f"    {name}: {_yaml(value)}" for name, value in settings.items())
    yield "or on the command line:"
    yield "  " + override_text(settings)


def override_text(settings: Mapping[str, Setting]) -> str:
    """The same as `-S` arguments."""
    values = {name: _yaml(value) for name, value in settings.items()}
    quoted = {name: f"'{text}'" if " " in text else text for name, text in values.items()}
    return " ".join(f"-S extract.capture.{name}={text}" for name, text in quoted.items())


def _yaml(value: Setting) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def values_of(name: str, layout: str, recorded: int, found: Examination) -> dict[str, Any]:
    """The examination as JSON values."""
    poses, gravity, seen = found.poses, found.gravity, found.registration
    return {
        "scan": name,
        "layout": layout,
        "recorded": recorded,
        "healthy": found.healthy,
        "verdict": poses.verdict,
        "certainty": poses.certainty,
        "margin": poses.margin,
        "share_5cm": poses.share,
        "points": poses.points,
        "claimed": _convention(poses.claimed),
        "best": _convention(poses.best),
        "hypotheses": [_fit(fit, fit in poses.alike) for fit in poses.fits],
        "pairs": [{"frames": [p.first, p.second], "share": p.share, "points": p.points} for p in poses.pairs],
        "gravity": None
        if gravity is None
        else {
            "up": gravity.up,
            "direction": gravity.direction.tolist(),
            "off_deg": gravity.off_deg,
            "sure": gravity.sure,
            "floor_m": gravity.floor_m,
            "tilt_deg": found.tilt_deg,
        },
        "colour": None
        if seen is None
        else {
            "dx_px": seen.dx_px,
            "dy_px": seen.dy_px,
            "focal_ratio": seen.focal_ratio,
            "sure": seen.sure,
        },
        "delay": {"seen": found.delay.seen, "delay_s": found.delay.delay_s, "why_not": found.delay.why_not},
        "strays": list(found.strays),
        "unreadable": list(found.unreadable),
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in found.settings.items()},
    }


def _convention(convention: Convention) -> dict[str, Any]:
    return {
        "poses": convention.poses,
        "camera_axes": convention.camera_axes,
        "depth_units_per_m": convention.depth_units_per_m,
    }


def _fit(fit: Fit, alike: bool) -> dict[str, Any]:
    return {
        "poses": fit.hypothesis.poses,
        "camera_axes": fit.hypothesis.camera_axes,
        "depth_units_per_m": fit.units_per_m,
        "scale_range": [fit.low, fit.high],
        "share_5cm": fit.typical_5cm,
        "share": fit.share,
        "alike": alike,
    }
