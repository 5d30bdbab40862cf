'use strict';
// The report's heatmaps, and the values below the pointer. Reads the JSON in #report-data and nothing else.
(() => {
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const tooltip = document.getElementById('tooltip');
  const darkGround = matchMedia('(prefers-color-scheme: dark)');

  const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const exists = (value) => value !== null && Number.isFinite(value);
  const number = (value, digits = 3) => (exists(value) ? String(Number(value.toPrecision(digits))) : '–');

  // Numbers that stand below each other, as format_column() of the program has them: all with as many
  // decimals as the least of them needs, and none superfluous to all.
  function numberColumn(values, digits = 4) {
    const sizes = values.filter((value) => exists(value) && value !== 0).map(Math.abs);
    let decimals = sizes.length ? Math.max(digits - 1 - Math.floor(Math.log10(Math.min(...sizes))), 0) : 0;
    if (decimals > 6) return values.map((value) => number(value, digits));
    const cells = () => values.map((value) => (exists(value) ? value.toFixed(decimals) : '–'));
    while (decimals > 0 && cells().every((cell) => cell === '–' || cell.endsWith('0'))) decimals--;
    return cells();
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // lines: [text, colour or nothing]; the first is the heading.
  function showTooltip(x, y, lines) {
    tooltip.replaceChildren(...lines.map(([text, color], i) => {
      if (i === 0) return element('b', {}, text);
      const line = element('div');
      if (color) {
        const dot = element('i');
        dot.style.background = color;
        line.append(dot);
      }
      line.append(text);
      return line;
    }));
    tooltip.hidden = false;
    const box = tooltip.getBoundingClientRect();
    const left = x + 16 + box.width < innerWidth ? x + 16 : x - 16 - box.width;
    const top = y - 12 - box.height > 0 ? y - 12 - box.height : y + 18;
    tooltip.style.transform =
        `translate(${clamp(left, 4, Math.max(innerWidth - box.width - 4, 4))}px, ${Math.min(top, innerHeight - box.height - 4)}px)`;
  }
  const hideTooltip = () => { tooltip.hidden = true; };

  // ---- Line charts: the pointer finds the nearest point of any line. ----

  function fraction(range, value, log) {
    return log ? Math.log(value / range[0]) / Math.log(range[1] / range[0]) : (value - range[0]) / (range[1] - range[0]);
  }

  // Points of all lines in the picture's own coordinates.
  function pointsOf(figure, variant) {
    const points = [];
    variant.panels.forEach((panel, p) => {
      const [left, top, right, bottom] = panel.box;
      figure.panels[p].forEach((line) => {
        line.x.forEach((x, i) => {
          if (!exists(x) || !exists(line.y[i])) return;
          points.push({
            line, index: i,
            x: left + fraction(panel.x, x, false) * (right - left),
            y: bottom - fraction(panel.y, line.y[i], panel.log) * (bottom - top),
          });
        });
      });
    });
    return points;
  }

  function addPointer(figure, svg, variant) {
    const points = pointsOf(figure, variant);
    const mark = document.createElementNS('http://www.w3.org/2000/svg', 'g');
    mark.setAttribute('pointer-events', 'none');
    svg.append(mark);

    const leave = () => {
      mark.replaceChildren();
      svg.classList.remove('pointed');
      hideTooltip();
    };
    const move = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = variant.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      const inside = ({ box: [left, top, right, bottom] }) =>
        x > left - 16 && x < right + 16 && y > top - 16 && y < bottom + 16;
      if (!variant.panels.some(inside)) return leave();
      let nearest = null, least = Infinity;
      for (const point of points) {
        const distance = Math.hypot((figure.plane ? 1 : 0.4) * (point.x - x), point.y - y);
        if (distance < least) [nearest, least] = [point, distance];
      }
      if (!nearest) return leave();
      const color = `var(${nearest.line.color})`;
      const path = document.createElementNS(mark.namespaceURI, 'polyline');
      path.setAttribute('points', points.filter((p) => p.line === nearest.line).map((p) => `${p.x},${p.y}`).join(' '));
      path.setAttribute('style', `fill:none;stroke:${color};stroke-width:2.6;stroke-linejoin:round`);
      const dot = document.createElementNS(mark.namespaceURI, 'circle');
      for (const [name, value] of [['cx', nearest.x], ['cy', nearest.y], ['r', 5]]) dot.setAttribute(name, value);
      dot.setAttribute('style', `fill:${color};stroke:var(--figure-paper);stroke-width:1.5`);
      mark.replaceChildren(path, dot);
      svg.classList.add('pointed');
      const { line, index } = nearest;
      const value = figure.plane ? `${number(line.x[index])}, ${number(line.y[index])}` : number(line.y[index], 4);
      const lines = [[data.checkpoints[index]], [`${line.label}: ${value}`, color]];
      if (line.band && exists(line.band[0][index])) {
        lines.push([`5 % to 95 %: ${number(line.band[0][index])} to ${number(line.band[1][index])}`]);
      }
      showTooltip(box.left + nearest.x / scale, box.top + nearest.y / scale, lines);
    };
    svg.addEventListener('pointermove', move);
    svg.addEventListener('pointerdown', move);
    svg.addEventListener('pointerleave', leave);
  }

  // The numbers behind a chart, as a table that is made when it is opened.
  function fillTable(figure, details) {
    details.addEventListener('toggle', () => {
      if (!details.open || details.querySelector('table')) return;
      const lines = figure.panels.flat().flatMap((line) => (figure.plane
        ? [{ label: `${line.label}, first component`, y: line.x }, { label: 'second component', y: line.y }]
        : [line]));
      const head = element('tr', {}, element('th', {}, 'Checkpoint'), ...lines.map((line) => element('th', {}, line.label)));
      const columns = lines.map((line) => numberColumn(data.checkpoints.map((_, i) => line.y[i])));
      const rows = data.checkpoints.map((name, i) =>
        element('tr', {}, element('td', {}, name), ...columns.map((cells) => element('td', {}, cells[i]))));
      details.append(element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Numbers' },
          element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows))));
    });
  }

  for (const figure of data.lines) {
    const chart = document.querySelector(`.chart[data-figure="${figure.id}"]`);
    addPointer(figure, chart.querySelector('.wide svg'), figure.wide);
    addPointer(figure, chart.querySelector('.narrow svg'), figure.narrow);
    fillTable(figure, chart.parentElement.querySelector('details.numbers'));
  }

  // ---- Heatmaps ----

  function decode(values) {
    const bytes = Uint8Array.from(atob(values.data), (c) => c.charCodeAt(0));
    if (values.type === 'f4') return new Float32Array(bytes.buffer);
    return Float32Array.from(new Uint16Array(bytes.buffer), (step) => (step === 65535 ? NaN : values.lowest + step * values.unit));
  }

  function colorPosition(scale, value) {
    const place = (v) => (scale.log ? Math.log(Math.max(v, 1e-300)) : v);
    const low = place(scale.minimum), high = place(scale.maximum), here = place(value);
    if (!(high > low)) return 0.5;
    if (scale.centre === null) return clamp((here - low) / (high - low), 0, 1);
    const centre = place(scale.centre);
    const side = here < centre ? centre - low : high - centre;
    return side > 0 ? clamp(0.5 + 0.5 * (here - centre) / side, 0, 1) : 0.5;
  }

  class HeatmapView {
    constructor(map, root) {
      this.map = map;
      this.values = decode(map.values);
      this.palette = map.scales[0].centre === null ? data.palettes.sequential : data.palettes.diverging;
      this.chosen = map.selectors.map((selector) => selector.initial);
      this.sorted = false;
      this.ownScale = map.ownScale;
      this.cursor = null;  // [row, column on screen]
      this.canvas = element('canvas', { tabindex: '0', role: 'img' });
      this.key = element('div', { class: 'key' });
      root.append(this.makeControls(), this.key, this.canvas);
      new ResizeObserver(() => this.draw()).observe(root);
      darkGround.addEventListener('change', () => this.draw());
      this.listen();
    }

    makeControls() {
      const controls = element('div', { class: 'controls' });
      this.map.selectors.forEach((selector, i) => {
        if (selector.labels.length < 2) return;
        controls.append(selector.slider ? this.makeSlider(selector, i) : this.makeList(selector, i));
      });
      if (this.map.sortable) {
        const box = element('input', { type: 'checkbox' });
        box.addEventListener('change', () => { this.sorted = box.checked; this.draw(); });
        controls.append(element('label', {}, box, 'order each layer by load'));
      }
      const shared = this.sharedSelector();
      if (shared) controls.append(this.makeScaleList(shared));
      return controls;
    }

    // The choice along which several slices share a scale of colours, if there is one.
    sharedSelector() {
      const { selectors, scales } = this.map;
      return selectors.slice(0, scales.length > 1 ? 1 : 2).find((selector) => selector.labels.length > 1);
    }

    makeScaleList(selector) {
      const name = selector.name.replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
      const list = element('select', {},
          element('option', { value: 0 }, `this ${name}`), element('option', { value: 1 }, 'all'));
      list.value = this.ownScale ? '0' : '1';
      list.addEventListener('change', () => { this.ownScale = list.value === '0'; this.draw(); });
      return element('label', { class: 'scale' }, 'Colours for', list);
    }

    makeSlider(selector, i) {
      const last = selector.labels.length - 1;
      const slider = element('input', { type: 'range', min: 0, max: last, value: selector.initial, 'aria-label': selector.name });
      const output = element('output', {}, selector.labels[selector.initial]);
      const set = (index) => {
        this.chosen[i] = index;
        slider.value = index;
        slider.setAttribute('aria-valuetext', selector.labels[index]);
        output.textContent = selector.labels[index];
        this.draw();
      };
      slider.addEventListener('input', () => set(Number(slider.value)));
      slider.setAttribute('aria-valuetext', selector.labels[selector.initial]);
      const play = element('button', { type: 'button', 'aria-label': `Play through: ${selector.name}` }, '▶');
      let timer = null;
      play.addEventListener('click', () => {
        const stop = () => { clearInterval(timer); timer = null; play.textContent = '▶'; };
        if (timer) return stop();
        play.textContent = '❚❚';
        set(Number(slider.value) === last ? 0 : Number(slider.value) + 1);
        timer = setInterval(() => (Number(slider.value) < last ? set(Number(slider.value) + 1) : stop()), 700);
      });
      return element('div', { class: 'slider' }, element('span', {}, selector.name), play, slider, output);
    }

    makeList(selector, i) {
      const list = element('select', {}, ...selector.labels.map((label, index) => element('option', { value: index }, label)));
      list.value = String(selector.initial);
      list.addEventListener('change', () => { this.chosen[i] = Number(list.value); this.draw(); });
      return element('label', {}, selector.name, list);
    }

    // Of all slices that share it, or of the one that is shown.
    findScale(slice) {
      const shared = this.map.scales[this.map.scales.length > 1 ? this.chosen[1] : 0];
      return this.ownScale ? HeatmapView.scaleOf(slice, shared) : shared;
    }

    static scaleOf(slice, shared) {
      let low = Infinity, high = -Infinity;
      for (const value of slice) {
        if (!Number.isFinite(value) || (shared.log && value <= 0)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      if (low > high) return shared;
      if (shared.centre === null) {
        return { ...shared, minimum: low, maximum: high, log: shared.log && high > 3 * low };
      }
      if (shared.log) {
        const doublings = Math.ceil(Math.log2(Math.max(high / shared.centre, shared.centre / low)) - 1e-6);
        const reach = 2 ** Math.max(doublings, 1);
        return { ...shared, minimum: shared.centre / reach, maximum: shared.centre * reach };
      }
      const reach = Math.max(high - shared.centre, shared.centre - low);
      return reach > 0 ? { ...shared, minimum: shared.centre - reach, maximum: shared.centre + reach } : shared;
    }

    fillKey() {
      const { scale } = this;
      const bar = element('div', { class: 'bar' });
      const strip = element('i');
      strip.style.background = `linear-gradient(90deg, ${this.palette.join(',')})`;
      bar.append(strip);
      const ticks = this.keyTicks(), labels = this.keyLabels(ticks);
      for (const [i, value] of ticks.entries()) {
        const tick = element('span', {}, labels[i]);
        tick.style.left = `${100 * colorPosition(scale, value)}%`;
        bar.append(tick);
      }
      this.key.replaceChildren(element('span', {}, scale.label), bar);
    }

    keyTicks() {
      const { minimum, maximum, centre, log } = this.scale;
      if (!(maximum > minimum)) return [minimum];
      if (centre !== null && log) {
        const steps = Math.round(Math.log2(maximum / minimum));
        return Array.from({ length: steps + 1 }, (_, i) => minimum * 2 ** i);
      }
      const steps = [0, 0.25, 0.5, 0.75, 1];
      return steps.map((s) => (log ? minimum * (maximum / minimum) ** s : minimum + s * (maximum - minimum)));
    }

    // With as many digits as tell them apart.
    keyLabels(ticks) {
      if (this.scale.centre !== null && this.scale.log) {
        return ticks.map((value) => (value < 1 ? `1/${Math.round(1 / value)}` : number(value, 2)));
      }
      const labels = (digits) =>
          ticks.map((value) => number(Math.abs(value) < 1e-12 * this.scale.maximum ? 0 : value, digits));
      const digits = [2, 3, 4, 5].find((count) => new Set(labels(count)).size === ticks.length);
      return labels(digits ?? 6);
    }

    // The experts of each row in the order shown.
    orderOf(cells, columns) {
      const order = Array.from({ length: columns }, (_, j) => j);
      const height = (j) => (Number.isFinite(cells[j]) ? cells[j] : -Infinity);
      return this.sorted ? order.sort((a, b) => (height(b) > height(a)) - (height(b) < height(a))) : order;
    }

    layOut() {
      const { rows, columns } = this.map;
      const context = this.canvas.getContext('2d');
      const family = getComputedStyle(this.canvas).fontFamily;
      this.font = `12px ${family}`;
      context.font = this.font;
      const width = this.canvas.clientWidth;
      this.left = Math.min(Math.max(...rows.map((label) => context.measureText(label).width)) + 10, 0.34 * width);
      this.top = 20;
      this.labelWidth = Math.max(...columns.map((label) => context.measureText(label).width));
      const cellWidth = (right) => Math.min((width - this.left - right) / columns.length, 56);
      this.cellWidth = cellWidth(Math.max(2, (this.labelWidth - cellWidth(2)) / 2 + 2));  // the last label has room
      this.cellHeight = clamp(this.cellWidth, Math.max(4, Math.min(20, 170 / rows.length)), 28);
      this.height = this.top + rows.length * this.cellHeight + 38;
      return { context, width };
    }

    draw() {
      const { context, width } = this.layOut();
      if (width === 0) return;
      this.choose();
      const ratio = devicePixelRatio || 1;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.canvas.style.height = `${this.height}px`;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.font = this.font;
      this.drawCells(context, ratio);
      this.drawLabels(context);
      const chosen = this.map.selectors.map((s, i) => s.labels[this.chosen[i]]).filter(Boolean).join(', ');
      this.canvas.setAttribute('aria-label', `Heatmap of ${this.scale.label}, ${this.map.rowName} by ${this.map.columnName}: ${chosen}; colours for ${this.ownScale ? 'these alone' : 'all'}. Arrow keys read single cells.`);
      if (this.cursor) this.drawCursor(context);
    }

    // The slice that is shown, and its colours.
    choose() {
      const { rows, columns, selectors } = this.map, [first, second] = this.chosen;
      const begin = (first * selectors[1].labels.length + second) * rows.length * columns.length;
      this.slice = this.values.subarray(begin, begin + rows.length * columns.length);
      this.scale = this.findScale(this.slice);
      const key = JSON.stringify(this.scale);
      if (key !== this.keyOf) this.fillKey();
      this.keyOf = key;
    }

    drawCells(context, ratio) {
      const { rows, columns } = this.map, { scale } = this, n = columns.length;
      const missing = cssColor('--figure-grid');
      const sharp = (v) => Math.round(v * ratio) / ratio;
      this.orders = [];
      const roomForText = this.cellWidth >= 36 && this.cellHeight >= 17;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      for (let i = 0; i < rows.length; i++) {
        const cells = this.slice.subarray(i * n, (i + 1) * n);
        const order = this.orderOf(cells, n);
        this.orders.push(order);
        const y = this.rowTop(i), bottom = sharp(y + this.cellHeight);
        for (let j = 0; j < n; j++) {
          const value = cells[order[j]], x = sharp(this.left + j * this.cellWidth);
          const color = Number.isFinite(value) ? this.palette[Math.round(colorPosition(scale, value) * (this.palette.length - 1))] : missing;
          context.fillStyle = color;
          context.fillRect(x, sharp(y), sharp(this.left + (j + 1) * this.cellWidth) - x, bottom - sharp(y));
          if (!roomForText || !Number.isFinite(value)) continue;
          const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
          context.fillStyle = 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#15181c' : '#fafbfc';
          context.fillText(number(value, 2), x + this.cellWidth / 2, y + this.cellHeight / 2 + 0.5);
        }
      }
    }

    rowTop(i) {
      const { rows, upward } = this.map;
      return this.top + (upward ? rows.length - 1 - i : i) * this.cellHeight;
    }

    drawLabels(context) {
      const { rows, columns, rowName, columnName } = this.map;
      context.fillStyle = cssColor('--figure-muted');
      context.textBaseline = 'middle';
      context.textAlign = 'right';
      const rowStride = [1, 2, 5, 10, 20, 50].find((s) => s * this.cellHeight >= 13) ?? 100;
      for (let i = 0; i < rows.length; i += rowStride) {
        context.fillText(rows[i], this.left - 6, this.rowTop(i) + this.cellHeight / 2, this.left - 6);
      }
      context.textAlign = 'center';
      const columnStride = [1, 2, 5, 10, 20, 50, 100].find((s) => s * this.cellWidth >= this.labelWidth + 8) ?? 200;
      const below = this.top + rows.length * this.cellHeight;
      for (let j = 0; j < columns.length; j += columnStride) {
        const label = this.sorted ? String(j + 1) : columns[j];
        context.fillText(label, this.left + (j + 0.5) * this.cellWidth, below + 11);
      }
      const name = this.sorted ? `${columnName}s, busiest first` : columnName;
      context.fillText(name, this.left + columns.length * this.cellWidth / 2, below + 28);
      context.textAlign = 'left';
      context.fillText(rowName, this.left, 9);
    }

    drawCursor(context) {
      const [i, j] = this.cursor;
      context.strokeStyle = cssColor('--figure-ink');
      context.lineWidth = 2;
      context.strokeRect(this.left + j * this.cellWidth, this.rowTop(i), this.cellWidth, this.cellHeight);
    }

    describe(i, j) {
      const { map } = this;
      const column = this.orders[i][j];
      const value = this.slice[i * map.columns.length + column];
      const lines = [[`${map.rowName} ${map.rows[i]}, ${map.columnName.toLowerCase()} ${map.columns[column]}`]];
      if (!Number.isFinite(value)) return [...lines, ['no value']];
      lines.push([`${number(value)} ${map.valueName}`]);
      if (map.evenShare !== null) {
        lines.push([`${number(100 * value * map.evenShare)} % of the tokens (even: ${number(100 * map.evenShare)} %)`]);
      }
      return lines;
    }

    point(i, j) {
      const { rows, columns } = this.map;
      if (i < 0 || j < 0 || i >= rows.length || j >= columns.length) return this.leave();
      this.cursor = [i, j];
      this.draw();
      const box = this.canvas.getBoundingClientRect();
      showTooltip(box.left + this.left + (j + 0.5) * this.cellWidth, box.top + this.rowTop(i), this.describe(i, j));
    }

    leave() {
      if (!this.cursor) return;
      this.cursor = null;
      this.draw();
      hideTooltip();
    }

    listen() {
      const { canvas } = this;
      const move = (event) => {
        const box = canvas.getBoundingClientRect();
        const row = Math.floor((event.clientY - box.top - this.top) / this.cellHeight);
        this.point(this.map.upward ? this.map.rows.length - 1 - row : row,
            Math.floor((event.clientX - box.left - this.left) / this.cellWidth));
      };
      canvas.addEventListener('pointermove', move);
      canvas.addEventListener('pointerdown', move);
      canvas.addEventListener('pointerleave', () => this.leave());
      canvas.addEventListener('blur', () => this.leave());
      canvas.addEventListener('keydown', (event) => {
        const up = this.map.upward ? 1 : -1;
        const step = { ArrowUp: [up, 0], ArrowDown: [-up, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (event.key === 'Escape') return this.leave();
        if (!step) return;
        event.preventDefault();
        const [i, j] = this.cursor ?? [0, 0];
        const { rows, columns } = this.map;
        this.point(clamp(i + step[0], 0, rows.length - 1), clamp(j + step[1], 0, columns.length - 1));
      });
    }
  }

  for (const map of data.heatmaps) new HeatmapView(map, document.querySelector(`.heatmap[data-figure="${map.id}"]`));
  addEventListener('scroll', hideTooltip, { passive: true });
})();
