import numpy as np
import pandas as pd
import pytest
from latentlaw.discovery.baselines.features import feature_data
from latentlaw.discovery.latents import check_latents
from latentlaw.errors import DataError

from tests.discovery.samples import clusters


def tables(data, **columns):
    """A table for each split: `columns` map a split's length to values."""
    return [
        pd.DataFrame({name.replace("_", " "): make(len(split)) for name, make in columns.items()})
        for split in (data.train, data.val, data.test)
    ]


def test_features_stand_in_for_latents_without_how_the_object_lies():
    data = clusters(n=50)
    measured = feature_data(
        data, tables(data, area=np.arange, x=np.arange, cos_2_orientation=np.ones, maximum=np.ones)
    )
    assert measured.latent_names == ("f0", "f1")  # area and maximum
    np.testing.assert_array_equal(measured.val.latents[:, 0], np.arange(len(data.val)))
    np.testing.assert_array_equal(measured.test.labels, data.test.labels)
    assert measured.class_names == data.class_names


def test_what_an_image_does_not_have_is_the_median_of_training():
    data = clusters(n=50)
    given = tables(data, area=lambda n: np.arange(n, dtype=float))
    given[2].loc[0, "area"] = np.nan
    measured = feature_data(data, given)
    assert measured.test.latents[0, 0] == np.median(np.arange(len(data.train)))
    check_latents(measured)


def test_images_without_objects_and_other_images_are_named():
    data = clusters(n=50)
    with pytest.raises(DataError, match="found no training image with an object"):
        feature_data(data, tables(data, solidity=lambda n: np.full(n, np.nan)))
    with pytest.raises(DataError, match=f"found 3 rows for {len(data.train)} particles"):
        feature_data(data, [t[:3] for t in tables(data, area=np.arange)])
