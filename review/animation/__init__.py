"""Owns the film of a fine-tuning: the aligned map of each checkpoint, the worst outliers and the
loss curve, as GIF, MP4, WebP or PNG. Knows no page and no decisions.

``film`` is what people call, with ``options``. ``filmdata`` reads what is shown, ``plan`` says
when, ``drawing`` draws one frame, ``render`` turns moments into pixels on several processes,
``encode`` writes them into a file, ``make`` lowers the ``quality`` until it fits.
"""
