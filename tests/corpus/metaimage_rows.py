"""MetaImage files with headers written byte by byte."""

from tests.corpus.itk_rows import ALIGNED, ASSUMED, DATA, OBLIQUE, RAW, by_simpleitk
from tests.corpus.rows import Image, Refused, Rows, matrix

METAIMAGE = Rows()
MHA = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "-20 11.5 7",
    "ElementSpacing": "1.5 2 3",
    "DimSize": "5 4 3",
    "ElementType": "MET_SHORT",
}


def mha(path, data=RAW, **changes):
    """A MetaImage file; a field that is None is left out."""
    fields = {**MHA, **changes}
    file = fields.pop("ElementDataFile", "LOCAL")
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    path.write_bytes("\n".join([*lines, f"ElementDataFile = {file}", ""]).encode() + data)
    return path


@METAIMAGE("io19-mha-no-size")
def mha_no_size(folder):
    return by_simpleitk(mha(folder / "a.mha", ElementSpacing=None), notes=(ASSUMED,))


@METAIMAGE.each("io19-mha-unit", {"um": ("um", 1e-3), "cm": ("cm", 10.0), "unknown": ("?", 1.0)})
def mha_unit(unit, factor, folder):
    path = mha(folder / "a.mha", DistanceUnits=unit)
    return by_simpleitk(path, factor, () if factor == 1 else ("converted to mm",))


@METAIMAGE("io64-mha-oblique")
def mha_oblique(folder):
    path = mha(
        folder / "a.mha",
        TransformMatrix="0.8 0.6 0 -0.48 0.64 0.6 0.36 -0.48 0.8",
        CenterOfRotation="1 2 3",
    )
    return Image(path, DATA, OBLIQUE)


@METAIMAGE("io64-mha-element-size")
def mha_element_size(folder):
    return by_simpleitk(mha(folder / "a.mha", ElementSpacing=None, ElementSize="1.5 2 3"))


@METAIMAGE("io64-mha-negative-direction")
def mha_negative(folder):
    path = mha(folder / "a.mha", TransformMatrix="-1 0 0 0 1 0 0 0 1")
    return Image(path, DATA, matrix([(-1.5, 0, 0), (0, 2, 0), (0, 0, 3)], (-20, 11.5, 7)))


@METAIMAGE("io64-mha-big-endian")
def mha_big_endian(folder):
    path = mha(folder / "a.mha", DATA.astype(">i2").tobytes(), BinaryDataByteOrderMSB="True")
    return Image(path, DATA, ALIGNED)


@METAIMAGE.each("io64-mhd-header-size", {"fixed": ("7",), "from-end": ("-1",)})
def mhd_header_size(size, folder):
    (folder / "a.raw").write_bytes(b"1234567" + RAW)
    return Image(
        mha(folder / "a.mhd", b"", HeaderSize=size, ElementDataFile="a.raw"), DATA, ALIGNED
    )


@METAIMAGE("io64-mhd-a-file-for-each-slice")
def mhd_list(folder):
    for z, values in enumerate(DATA):
        (folder / f"a{z}.raw").write_bytes(values.tobytes())
    path = mha(folder / "a.mhd", b"a0.raw\na1.raw\na2.raw\n", ElementDataFile="LIST")
    return Image(path, DATA, ALIGNED)


@METAIMAGE("io64-mha-zero-spacing")
def mha_zero_spacing(folder):
    return Refused(mha(folder / "a.mha", ElementSpacing="0 2 3"), ("a.mha",))


@METAIMAGE("mha-anatomical-orientation-is-a-comment")
def mha_anatomical(folder):
    return Image(mha(folder / "a.mha", AnatomicalOrientation="RAI"), DATA, ALIGNED)
