"""Values: frozen, slotted, compared by content."""

import subprocess
import sys

import pytest

from memem.value import Value


class Point(Value):
    x: int
    y: int = 2


class Named(Point):
    name: str = "here"
    tags: tuple[str, ...] = ()


class PointLike(Value):
    x: int
    y: int = 2


def test_fields_come_by_keyword_and_defaults_fill_the_rest():
    assert (Point(x=1).x, Point(x=1).y) == (1, 2)
    assert Named(x=1, name="there").as_dict() == {"x": 1, "y": 2, "name": "there", "tags": ()}


def test_a_missing_field_is_named():
    with pytest.raises(TypeError, match="Point needs x"):
        Point(y=1)


def test_an_unknown_field_is_named():
    with pytest.raises(TypeError, match="Point has no field yy, z"):
        Point(x=1, z=3, yy=2)


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Point(1)


@pytest.mark.parametrize("field", ["x", "new"])
def test_a_value_cannot_be_changed(field):
    with pytest.raises(AttributeError, match="frozen"):
        setattr(Point(x=1), field, 5)


def test_a_value_has_no_dict():
    assert not hasattr(Named(x=1), "__dict__")


def test_replace_makes_a_changed_copy_and_checks_names():
    before = Named(x=1, tags=("a",))
    assert before.replace(name="z") == Named(x=1, name="z", tags=("a",))
    assert before.name == "here"
    with pytest.raises(TypeError, match="nme"):
        before.replace(nme="z")


def test_a_value_is_made_of_all_its_fields_in_order():
    assert Named.in_order([1, 3, "there", ("a",)]) == Named(x=1, y=3, name="there", tags=("a",))
    with pytest.raises(ValueError, match="shorter"):
        Named.in_order([1, 3])


def test_values_are_equal_by_content_and_class():
    assert Point(x=1) == Point(x=1)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != PointLike(x=1)
    assert Point(x=1) != Named(x=1)
    assert Point(x=1) != (1, 2)


def test_equal_values_are_one_key():
    assert len({Point(x=1), Point(x=1, y=2), Point(x=2)}) == 2


def test_the_representation_can_be_read_back():
    value = Named(x=1, name="it's", tags=("a", "b"))
    assert eval(repr(value)) == value


def test_values_load_nothing_slow():
    code = "import sys; import memem.value; print(sorted({'dataclasses', 'typing', 're', 'enum'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "[]\n"
