"""The benchmark on frames with categories and gaps: what is made, fitted, kept and reported."""

import csv
import importlib
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

pd = pytest.importorskip("pandas")


@pytest.fixture
def data(scripts):
    return importlib.import_module("raw_tables_data")


@pytest.fixture
def page(scripts):
    return importlib.import_module("raw_tables_page")


@pytest.fixture
def raw_tables(scripts):
    return importlib.import_module("raw_tables")


def people(n=120):
    """A frame with a text, a gap in it, a number with gaps, a boolean, and two targets."""
    rng = np.random.default_rng(0)
    size, kind = rng.normal(size=n), rng.integers(0, 3, n)
    frame = pd.DataFrame({"size": size, "kind": np.array(["a", "b", "c"], dtype=object)[kind]})
    frame["old"] = rng.random(n) < 0.5
    number = size + kind
    frame.loc[::7, "size"], frame.loc[3::11, "kind"] = np.nan, None
    return frame, number, np.where(number > 1, "yes", "no").astype(object)


class TestMadeFrames:
    def test_posterior_mean_is_ridge(self, data):
        rng = np.random.default_rng(1)
        Z = sp.csr_array(sp.random(60, 12, density=0.3, random_state=rng))
        target = rng.normal(size=60)
        ridge = Ridge(alpha=0.7**2, fit_intercept=False).fit(Z.toarray(), target)
        np.testing.assert_allclose(data.posterior(Z, target, 0.7), ridge.coef_, rtol=1e-8)

    def test_posterior_mode_is_logistic_regression(self, data):
        rng = np.random.default_rng(2)
        Z = sp.csr_array(sp.random(80, 9, density=0.4, random_state=rng))
        y = (rng.random(80) < expit(Z @ rng.normal(size=9))).astype(int)
        model = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=1000).fit(Z, y)
        found = data.posterior_mode(Z, np.zeros(80), y)
        np.testing.assert_allclose(found, model.coef_[0], atol=1e-5)
        # Logits of -3 that are known: b explains what is left, so that it is larger.
        assert data.posterior_mode(Z, np.full(80, -3.0), y).mean() > found.mean() + 0.3

    def test_levels_estimated_is_below_best_and_above_what_ignores_levels(self, data):
        parts = data.levels_two_columns(np.random.default_rng(3), train=2_000, test=1_000)
        best, estimated = (parts.known[name] for name in ("best possible", "levels estimated"))
        x = parts.X_test[["x0", "x1"]].to_numpy()
        smooth = np.sin(2 * x[:, 0]) + 0.7 * np.maximum(x[:, 1], 0)
        y = parts.y_test
        slope, intercept = np.polyfit(smooth, y, 1)
        assert best > estimated > r2_score(y, slope * smooth + intercept) + 0.2

    @pytest.mark.parametrize("name", ["gaps at random", "gaps that tell", "gaps at predict only"])
    def test_best_possible_of_gaps_is_the_conditional_mean(self, data, monkeypatch, name):
        """What is left of y has mean zero whatever is seen: in each pattern, level and half."""
        seen = {}

        def keep(rng, x, region, hidden, terms, expected, train):
            seen.update(x=x, region=region, hidden=hidden, left=terms - expected)

        monkeypatch.setattr(data, "gap_parts", keep)
        data.MADE[name](np.random.default_rng(4), train=100, test=40_000)
        hidden, left, x = (seen[key][100:] for key in ("hidden", "left", "x"))
        region = np.where(hidden[:, 5], -1, seen["region"][100:])
        groups = [hidden[:, j] == value for j in range(6) for value in (False, True)]
        groups += [region == level for level in range(-1, 6)]
        # A column seen, another hidden; halves and tails of the copy of x0 where x0 is hidden.
        for low, high in [(-9, -1), (-1, 0), (0, 1), (1, 9)]:
            groups.append(hidden[:, 0] & ~hidden[:, 4] & (low < x[:, 4]) & (x[:, 4] < high))
        used = [left[group] for group in groups if group.sum() > 100]
        assert len(used) >= 16
        for part in used:
            assert abs(part.mean()) < 4 * part.std() / np.sqrt(len(part)) + 1e-12

    def test_sections(self, raw_tables, page):
        assert {
            section for section, *_ in raw_tables.frames([], raw_tables.MADE)
        } == page.TITLES.keys() - {"tables"}

    def test_each_seed_is_another_frame_and_the_same_again(self, data):
        first, again, other = (data.make("gaps that tell", seed) for seed in (0, 0, 1))
        pd.testing.assert_frame_equal(first.X_train, again.X_train)
        assert not first.X_train.equals(other.X_train)
        assert data.make("gaps at predict only", 0).X_train.notna().all(axis=None)
        assert data.make("gaps at predict only", 0).X_test.isna().any().all()

    def test_forms(self, data):
        """Targets are standardized, texts are texts, levels by hand are numbers."""
        parts = data.make("levels, few rows each", 0)
        np.testing.assert_allclose([parts.y_train.mean(), parts.y_train.std()], [0, 1], atol=1e-12)
        assert parts.X_train["shop"].nunique() > 255
        assert parts.X_train["shop"].iloc[0].startswith("shop_")
        by_hand = data.levels_by_hand(np.random.default_rng(0), train=50, test=20, levels=30)
        assert (by_hand.X_train.filter(like="shop").to_numpy().sum(axis=1) == 1).all()


class TestTables:
    def test_reads_what_the_docstring_says(self, data, tmp_path):
        (tmp_path / "titanic.csv").write_text(
            "survived,class,age,deck,alive,alone\n0,Third,22.0,,no,False\n1,First,,C,yes,True\n",
            encoding="utf-8",
        )
        task, frame, y = data.read_table(tmp_path / "titanic.csv")
        assert task == "classification"
        assert list(frame.columns) == ["class", "age", "deck", "alone"]
        np.testing.assert_array_equal(y, [0, 1])
        assert frame.isna().to_numpy().sum() == 2

        row = "39, State-gov, 77516, Bachelors, 13, Never-married, ?, Own-child, White, Male, "
        (tmp_path / "adult_raw.csv").write_text(
            row + "2174, 0, 40, Cuba, <=50K\n", encoding="utf-8"
        )
        _, frame, y = data.read_table(tmp_path / "adult_raw.csv")
        assert list(y) == ["<=50K"]
        assert frame["workclass"].item() == "State-gov"
        assert list(frame.columns[frame.isna().any()]) == ["occupation"]

    def test_the_tables_that_are_here(self, data, data_dir):
        shapes = {}
        for name in data.TABLES:
            path = data_dir / ("tab" if name == "adult_raw" else "raw") / f"{name}.csv"
            if not path.exists():
                pytest.skip(f"needs real data: {path.name} is not in its folder")
            task, frame, y = data.read_table(path)
            parts = data.split_table(task, frame, y, 0)
            assert len(parts.X_test) == len(parts.y_test) == -(-len(y) // 4)
            shapes[name] = (*frame.shape, int(frame.isna().to_numpy().sum()))
        assert shapes["titanic"] == (891, 13, 177 + 2 + 688 + 2)
        assert shapes["hotel_rates"] == (15402, 26, 164)
        assert shapes["adult_raw"] == (32561, 14, 1836 + 1843 + 583)


class TestMethods:
    @pytest.mark.parametrize("method", ["HistGradientBoosting", "CatBoost"])
    @pytest.mark.parametrize("task", ["classification", "regression"])
    def test_takes_gaps_and_new_levels(self, data, raw_tables, task, method):
        if method == "CatBoost":
            pytest.importorskip("catboost")
        frame, number, words = people()
        y = words if task == "classification" else number
        new = frame[-40:].assign(kind=lambda part: part["kind"].mask(part["kind"] == "a", "new"))
        parts = data.Parts(task, frame[:-40], new, y[:-40], y[-40:], {})
        row = raw_tables.measure(method, parts, 0)
        assert np.isfinite(row["score"])
        assert (row["log-loss"] == "") == (task == "regression")
        assert row["seconds"] > 0
        assert frame.equals(people()[0])

    @pytest.mark.filterwarnings("ignore:`TargetEncoder:FutureWarning")
    def test_preprocessing(self, raw_tables):
        """Numbers, an indicator and one-hot levels, the gap one of them, on a common scale."""
        frame, number, _ = people()
        encoder = raw_tables.one_hot(frame, 0).fit(frame)
        X = encoder.transform(frame)
        assert X.shape == (120, 3 + 4)  # size, its indicator, old; a, b, c, a gap
        np.testing.assert_allclose(X[:, :3].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_array_equal(X[:, 3:].sum(axis=1), 1)
        assert raw_tables.target_means(frame, 0).fit_transform(frame, number).shape == (120, 4)

    def test_boosting_gets_codes_where_it_refuses_levels(self, raw_tables):
        rng = np.random.default_rng(0)
        levels = np.array([f"level {k}" for k in range(300)], dtype=object)
        frame = pd.DataFrame({"many": rng.permutation(levels), "few": levels[np.arange(300) % 5]})
        model = raw_tables.boosting("regression", 0, frame).fit(frame, np.arange(300.0) % 5)
        np.testing.assert_array_equal(model[-1].is_categorical_, [False, True])
        assert model.score(frame, np.arange(300.0) % 5) > 0.95


class TestRuns:
    def read(self, folder):
        with open(folder / "scores.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    @pytest.fixture(autouse=True)
    def _no_figure(self, raw_tables, monkeypatch):
        monkeypatch.setattr(raw_tables, "draw", lambda rows, path: None)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.slow
    def test_resumes(self, raw_tables, tmp_path, monkeypatch):
        frame, _, words = people()
        frame.assign(species=words).to_csv(tmp_path / "penguins.csv", index=False)
        out, boosting, adam = tmp_path / "out", "HistGradientBoosting", "MLP, ColumnTransformer"
        command = ["--data", str(tmp_path), "--only", "penguins", "--out", str(out)]
        raw_tables.main([*command, "--splits", "1", "--methods", boosting])
        (first,) = self.read(out)
        raw_tables.main([*command, "--splits", "2", "--methods", boosting, adam, "--resume"])
        rows = self.read(out)
        assert rows[1] == first
        assert [(row["method"], row["seed"], row["run"]) for row in rows] == [
            (adam, "0", "2"),
            (boosting, "0", "1"),
            (adam, "1", "2"),
            (boosting, "1", "2"),
        ]
        refit = ["--splits", "2", "--methods", boosting, "--resume", "--refit", boosting]
        raw_tables.main([*command, *refit])
        runs = {(row["method"], row["run"]) for row in self.read(out)}
        assert runs == {(boosting, "3"), (adam, "2")}
        # Fits that cannot be made again, without the table or for another split, stay.
        rows = self.read(out)
        refit = ["--out", str(out), "--resume", "--refit", boosting, "--methods", boosting]
        monkeypatch.setattr(raw_tables, "MADE", {})
        raw_tables.main(refit)
        raw_tables.main([*command, "--splits", "1", *refit])
        again = self.read(out)
        assert again[2:] == rows[2:]
        assert [again[1][field] for field in ("score", "run")] == [rows[1]["score"], "4"]
        report = (out / "README.md").read_text(encoding="utf-8")
        assert report.count("\n- Run ") == 3
        assert str(tmp_path) not in report

    def test_known_scores_are_there_once(self, raw_tables, data, tmp_path, monkeypatch):
        name = "levels that say nothing"
        small = partial(data.levels_useless, train=60, test=30)
        monkeypatch.setitem(data.MADE, name, small)
        command = ["--only", name, "--splits", "1", "--out", str(tmp_path)]
        raw_tables.main([*command, "--methods", "HistGradientBoosting"])
        again = ["--methods", "HistGradientBoosting, TargetEncoder", "--resume"]
        raw_tables.main([*command, *again])
        assert [row["method"] for row in self.read(tmp_path)] == [
            "best possible",
            "levels estimated",
            "HistGradientBoosting",
            "HistGradientBoosting, TargetEncoder",
        ]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--methods", "CatBoost"], "CatBoost needs catboost: python -m pip install"),
            (["--refit", "skmdlam"], "--refit goes with --resume"),
            (["--only", "mpg", "titanic"], "no folder of --data has mpg, titanic"),
        ],
    )
    def test_says_at_once_what_is_missing(
        self, raw_tables, monkeypatch, capsys, arguments, message
    ):
        monkeypatch.setattr(raw_tables, "find_spec", lambda name: None)
        with pytest.raises(SystemExit):
            raw_tables.main(arguments)
        assert message in capsys.readouterr().err


class TestPage:
    def fit(self, name, method, score, seconds=1.0, seed=0, folder="tables", loss=""):
        row = {"folder": folder, "data set": name, "task": "regression", "seed": seed}
        return row | {
            "method": method, "score": score, "log-loss": loss, "seconds": seconds, "run": 1
        }  # fmt: skip

    def cells(self, report, name):
        lines = [line.strip("| ").split(" | ") for line in report.splitlines()]
        return [line[1:] for line in lines if line[0] == name]

    def test_summary(self, page):
        rows = [
            self.fit("a", "CatBoost", 0.8, 10.0, loss=0.5),
            self.fit("b", "CatBoost", 0.9, 30.0),
            self.fit("c", "CatBoost", 0.7, 2.0),
            self.fit("a", "skmdlam", 0.9, 1.0, loss=0.25),
            self.fit("b", "skmdlam", 0.9, 1.0),
            self.fit("c", "skmdlam", 0.6, 1.0),
        ]
        text = page.summary(rows)
        assert self.cells(text, "skmdlam")[0][:3] == ["0.8000", "0.250", "2"]
        (other,) = self.cells(text, "CatBoost")
        # Differences 0.1, 0, -0.1; ratios 10, 30, 2.
        assert other == [
            "0.8000", "0.500", "2", "+0.0000 ± 0.0577", "1/1/1", "-0.100", "10.00", "42.0"
        ]  # fmt: skip

    def test_ours_is_first_and_who_lacks_splits_is_left_out(self, page):
        rows = [self.fit(name, method, 0.5) for name in "xy" for method in ("MLP", "skmdlam")]
        rows += [self.fit("x", "CatBoost", 0.6), self.fit("x", "best possible", 0.9)]
        _, methods, lacking = page.complete(rows)
        assert methods == ["skmdlam", "MLP"]
        assert lacking == {"CatBoost": 1}
        runs = [{"run": 1, "command": "c", "machine": "m"}]
        report = page.page(rows, runs)
        assert "Left out: CatBoost, which has 1 of the splits" in report
        assert self.cells(report, "x")[0] == ["0.500", "0.500", "0.600", "0.900"]
        assert self.cells(report, "y")[0] == ["0.500", "0.500", "-", "-"]

    def test_figure(self, page, raw_tables, tmp_path):
        pytest.importorskip("matplotlib")
        assert page.STYLES.keys() == raw_tables.METHODS.keys()
        rows = [self.fit("x", method, 0.5) for method in page.STYLES]
        rows += [self.fit("y", "best possible", 0.9, folder="gaps")]
        page.draw(rows, tmp_path / "scores.png")
        assert (tmp_path / "scores.png").stat().st_size > 1000

    def test_without_ours(self, page):
        rows = [self.fit("x", "MLP", 0.5), self.fit("x", "CatBoost", 0.6)]
        assert "| wins/ties/losses of MLP |" in page.summary(rows)
