class TestWeights:
    @pytest.fixture
    def coef(self):
        return np.random.RandomState(0).standard_normal((12, 5)) * [1, 9, 2, 4, 3]

    def test_images_of_the_largest_units(self, pyplot, coef):
        display = WeightsDisplay(coef).plot(image_shape=(3, 4), n_units=2)
        assert display.units_.tolist() == [1, 3]
        pixels = display.image_.get_array().filled(np.nan)
        assert pixels.shape == (3, 9)  # side by side, with a gap
        np.testing.assert_array_equal(pixels[:, :4], coef[:, 1].reshape(3, 4))
        np.testing.assert_array_equal(pixels[:, 5:], coef[:, 3].reshape(3, 4))
        assert np.isnan(pixels[:, 4]).all()
        assert display.ax_.get_title() == "Layer 0: weights of the 2 largest of 5 units"
        drawn(display)

    @pytest.mark.parametrize("kind", ["image", "matrix"])
    def test_colours_are_symmetric(self, pyplot, coef, kind):
        shape = (3, 4) if kind == "image" else None
        display = WeightsDisplay(coef).plot(kind=kind, image_shape=shape)
        norm = display.image_.norm
        assert norm.vmin == -norm.vmax < 0
        assert norm.vmax <= np.abs(coef).max()
        assert display.colorbar_.extend == "both"  # a hundredth of the weights is beyond
        assert np.mean(np.abs(coef) > norm.vmax) <= 1 / 60
        middle = np.array(display.image_.cmap(norm(0.0))[:3])
        assert middle.min() > 0.9, "zero is white"

    def test_from_estimator_shows_all_small_layers(self, pyplot, fitted):
        model = fitted["relaxed"]
        display = WeightsDisplay.from_estimator(model)  # 4 inputs: 2 x 2
        assert np.isfinite(display.image_.get_array().filled(np.nan)).sum() == 4 * 16
        assert display.ax_.get_title() == "Layer 0: weights of all 16 units"
        last = WeightsDisplay.from_estimator(model, layer=-1, kind="matrix")
        np.testing.assert_array_equal(last.image_.get_array(), model.coefs_[1])
        assert last.ax_.get_ylabel() == "unit of layer 0"
        assert last.ax_.get_title() == "Layer 1: weights"

    def test_at_most_16_images_by_default(self, pyplot):
        display = WeightsDisplay(np.ones((9, 20))).plot()
        assert display.units_.tolist() == list(range(16))

    def test_names_of_encoded_columns(self, pyplot):
        X = pd.DataFrame({"a": np.arange(120.0), "b": np.arange(120) % 2})
        encoder = PiecewiseLinearEncoder(n_bins=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMRegressor(hidden_layer_sizes=(3,), encoding=encoder, max_iter=2).fit(
                X, X["a"]
            )
        display = WeightsDisplay.from_estimator(model, kind="matrix")
        names = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert names == ["a_rank", "a_pl_0", "a_pl_1", "b"]

    def test_sparsity(self, pyplot):
        X, y = make_regression(80, 6, n_informative=2, random_state=0)
        X = pd.DataFrame(X, columns=list("abcdef"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MDLAMRegressor(
                hidden_layer_sizes=(10,),
                solver="relaxed",
                penalty="group",
                alpha=3.0,
                rho=1.0,
                random_state=0,
            ).fit(X, y / y.std())
        W = model.coefs_[0]
        zeros = np.count_nonzero(W == 0)
        assert 0 < zeros < W.size, "nothing to see"
        display = WeightsDisplay.from_estimator(model, kind="sparsity")
        np.testing.assert_array_equal(display.image_.get_array(), W != 0)
        share = round(100 * zeros / 60)
        assert display.ax_.get_title() == f"Layer 0: {zeros} of 60 weights are zero ({share} %)"
        assert [t.get_text() for t in display.ax_.get_yticklabels()] == list("abcdef")
        assert display.colorbar_ is None
        assert labels(display.ax_) == ["zero", "not zero"]
        drawn(display)

    def test_few_units_of_a_matrix_keep_their_numbers(self, pyplot, coef):
        display = WeightsDisplay(coef).plot(kind="matrix", n_units=3)
        np.testing.assert_array_equal(display.image_.get_array(), coef[:, [1, 3, 4]])
        assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["1", "3", "4"]

    def test_many_names_are_left_out(self, pyplot):
        names = [f"column {k}" for k in range(50)]
        display = WeightsDisplay(np.ones((50, 3)), feature_names=names).plot(kind="matrix")
        drawn(display)
        assert not any("column" in t.get_text() for t in display.ax_.get_yticklabels())

    def test_all_zero(self, pyplot):
        display = WeightsDisplay(np.zeros((4, 2))).plot()
        assert display.image_.norm.vmax == 1.0
        drawn(display)

    def test_given_axes_and_keywords(self, pyplot, coef):
        _, ax = pyplot.subplots()
        display = WeightsDisplay(coef).plot(
            ax=ax, kind="matrix", image_kw={"cmap": "PuOr", "vmin": -1, "vmax": 1}
        )
        assert display.ax_ is ax and display.image_.cmap.name == "PuOr"
        assert display.image_.norm.vmax == 1

    def test_mlp(self, pyplot, fitted):
        display = WeightsDisplay.from_estimator(fitted["mlp"], kind="matrix")
        np.testing.assert_array_equal(display.image_.get_array(), fitted["mlp"].coefs_[0])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"layer": 2}, "layer must be an integer from 0 to 1, or from -2 to -1; got 2"),
            ({"layer": -3}, "layer must be .*got -3"),
            ({"layer": 0.0}, "layer must be .*got 0.0"),
            ({"layer": True}, "layer must be .*got True"),
            ({"kind": "heat"}, "kind must be one of 'image', 'matrix', 'sparsity'; got 'heat'"),
            ({"image_shape": (2, 3)}, r"image_shape=\(2, 3\) has 6 pixels.* has 4 inputs"),
            ({"image_shape": 4}, "two positive integers, rows and columns; got 4"),
            ({"image_shape": (2.0, 2)}, "two positive integers"),
            ({"image_shape": (-2, -2)}, "two positive integers"),
            ({"kind": "matrix", "image_shape": (2, 2)}, 'image_shape is for kind="image" only'),
            ({"n_units": 0}, "n_units must be a positive integer or None; got 0"),
            ({"n_units": 2.5}, "n_units must be .*got 2.5"),
            ({"feature_names": ["a"]}, "a name for each of the 4 inputs of layer 0; got 1"),
        ],
    )
    def test_bad_calls(self, pyplot, fitted, options, message):
        with pytest.raises(ValueError, match=message):
            WeightsDisplay.from_estimator(fitted["feasible"], **options)
        assert pyplot.get_fignums() == []

    def test_not_a_square(self, pyplot):
        with pytest.raises(ValueError, match="10 inputs do not make a square image: give image_sh"):
            WeightsDisplay(np.ones((10, 2))).plot()

    @pytest.mark.parametrize(
        ("coef", "message"),
        [
            (np.ones(3), "must be a matrix"),
            (np.ones((0, 3)), "must be a matrix"),
            (np.full((4, 1), np.nan), "not finite"),
        ],
    )
    def test_bad_coef(self, pyplot, coef, message):
        with pytest.raises(ValueError, match=message):
            WeightsDisplay(coef).plot()

    def test_bad_estimators(self, pyplot):
        with pytest.raises(NotFittedError):
            WeightsDisplay.from_estimator(MDLAMRegressor())
        X, y = load_iris(return_X_y=True)
        with pytest.raises(ValueError, match="StandardScaler has no coefs_"):
            WeightsDisplay.from_estimator(StandardScaler().fit(X, y))
