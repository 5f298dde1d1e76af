"""Who is looked at in a segment: by how much they speak and how large and long they are in view."""

import numpy as np

from emoreason.perception.observation import Observation, Person
from emoreason.perception.segments import Segment


def spoken_s(observation: Observation, person: Person, segment: Segment) -> float:
    """Seconds of the segment in which this person seems to speak."""
    return sum(segment.overlap(*span) for span in observation.speaking.get(person.person, ()))


def inside(person: Person, segment: Segment) -> np.ndarray:
    """[n] places in the person's series that lie in the segment."""
    return np.flatnonzero((person.times_s >= segment.start_s) & (person.times_s <= segment.end_s))


def presence(person: Person, segment: Segment) -> float:
    """Size of the face in pixels, summed over the frames of the segment: large x long."""
    boxes = person.boxes[inside(person, segment)]
    return float(np.sqrt(boxes[:, 2] * boxes[:, 3]).sum())


def people_in(observation: Observation, segment: Segment) -> list[Person]:
    """Everybody in view, the most present first."""
    ranked = sorted(observation.people, key=lambda person: (-presence(person, segment), person.face_id))
    return [person for person in ranked if presence(person, segment) > 0]


def main_person(observation: Observation, segment: Segment) -> Person | None:
    """Who speaks most in the segment, else the largest x longest face; None where nobody is in view."""
    return max(people_in(observation, segment), key=lambda person: spoken_s(observation, person, segment), default=None)


def seen_s(times_s: np.ndarray) -> float:
    """Seconds covered by sampled frames: each stands for the time to the next, but for no more than half a second."""
    return float(np.minimum(np.diff(times_s), 0.5).sum()) if len(times_s) > 1 else 0.0
