import pickle
from dataclasses import replace

import numpy as np
import pytest

from napari_medvlm.data.answer import NamedMask, Question
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.worker import shared_memory
from napari_medvlm.worker.messages import AskRequest, GroundRequest, Request
from napari_medvlm.worker.shared_memory import SharedVolumeReader, SharedVolumes


def new_volume(value=0):
    return Volume(np.full((2, 3, 4), value, np.int16))


def new_labels(volume, value=1):
    values = np.zeros(volume.shape, np.uint16)
    values[1] = value
    return NamedLabels(values, volume.grid, {value: "liver"}, "organs")


def ground(volume, *labels):
    return GroundRequest("embedded", volume, query=GroundQuery(("liver",), labels=labels))


@pytest.fixture
def shared():
    shared = SharedVolumes()
    yield shared
    shared.clear()


def test_label_images_are_in_shared_memory_and_not_in_the_message(shared):
    volume = new_volume()
    labels = new_labels(volume)
    run = shared.run(1, ground(volume, labels))
    assert run.request.query.labels == ()
    (received,) = SharedVolumeReader().request(run).query.labels
    np.testing.assert_array_equal(received.values, labels.values)
    assert (received.names, received.title) == ({1: "liver"}, "organs")
    assert received.digest == new_labels(volume).digest
    assert not received.values.flags.writeable


def test_covered_voxels_arrive_with_their_label_image(shared):
    volume = new_volume()
    covered = {7: Mask.of(np.ones(volume.shape))}
    labels = replace(new_labels(volume), covered=covered)
    run = shared.run(1, ground(volume, labels, new_labels(volume)))
    overlapping, flat = SharedVolumeReader().request(run).query.labels
    assert overlapping.mask_of(7).voxels == np.count_nonzero(labels.values)
    assert flat.covered == {}


def test_equal_label_images_share_a_block(shared):
    volume, reader = new_volume(), SharedVolumeReader()
    first = reader.request(shared.run(1, ground(volume, new_labels(volume))))
    second = reader.request(shared.run(2, ground(volume, new_labels(volume))))
    changed = reader.request(shared.run(3, ground(volume, new_labels(volume, 2))))
    assert second.query.labels[0].values is first.query.labels[0].values
    assert changed.query.labels[0].values.max() == 2


def test_a_question_arrives_with_all_its_label_images(shared):
    volume = new_volume()
    labels = tuple(new_labels(volume, value) for value in range(1, 8))
    request = AskRequest("embedded", volume, question=Question("Where?", labels=labels))
    received = SharedVolumeReader().request(shared.run(1, request)).question.labels
    assert [int(label_image.values.max()) for label_image in received] == [*range(1, 8)]


def test_objects_of_a_question_travel_as_the_packed_bits_of_their_boxes(shared):
    volume = Volume(np.zeros((40, 200, 200), np.int8))
    full = np.zeros(volume.shape, bool)
    full[8:24, 50:150, 50:150] = True  # 160,000 of 1,600,000 voxels
    question = Question("How large?", objects=(NamedMask("liver", Mask.of(full)),))
    message = pickle.dumps(shared.run(1, AskRequest("embedded", volume, question=question)))
    assert len(message) < 160_000 / 8 + 5_000
    (received,) = SharedVolumeReader().request(pickle.loads(message)).question.objects
    np.testing.assert_array_equal(received.mask.full(), full)


def test_labels_travel_in_the_message_where_shared_memory_is_full(shared, monkeypatch):
    volume = new_volume()
    shared.run(1, Request("embedded", volume))
    monkeypatch.setattr(shared_memory, "free_bytes", lambda: 8)
    labels = new_labels(volume)
    run = shared.run(2, ground(volume, labels))
    assert run.request.query.labels == (labels,)
    assert SharedVolumeReader().request(run).query.labels == (labels,)


def test_the_volume_of_the_session_stays_while_changed_copies_come_and_go(shared):
    volume, reader = new_volume(), SharedVolumeReader()
    for job in range(3):
        first = reader.request(shared.run(job, Request("embedded", volume))).volume
    for value in range(1, 8):
        reader.request(shared.run(value, Request("embedded", new_volume(value))))
    assert reader.request(shared.run(9, Request("embedded", volume))).volume is first


def test_a_new_session_replaces_the_volume_of_an_old_one(shared):
    old, new = new_volume(0), new_volume(1)
    for job in range(50):
        shared.run(job, Request("embedded", old))
    for job in range(10):
        block = shared.run(job, Request("embedded", new)).volume.block
    shared.run(1, Request("embedded", new_volume(2)))
    assert shared.run(2, Request("embedded", new)).volume.block == block
