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
      const rows = data.checkpoints.map((name, i) =>
        element('tr', {}, element('td', {}, name), ...lines.map((line) => element('td', {}, number(line.y[i], 4)))));
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
      this.cursor = null;  // [row, column on screen]
      this.canvas = element('canvas', { tabindex: '0', role: 'img' });
      this.key = element('div', { class: 'key' });
      root.append(this.makeControls(), this.key, this.canvas);
      this.fillKey();
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
      return controls;
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
      list.addEventListener('change', () => { this.chosen[i] = Number(list.value); this.fillKey(); this.draw(); });
      return element('label', {}, selector.name, list);
    }

    get scale() {
      return this.map.scales[this.map.scales.length > 1 ? this.chosen[1] : 0];
    }

    fillKey() {
      const { scale } = this;
      const bar = element('div', { class: 'bar' });
      const strip = element('i');
      strip.style.background = `linear-gradient(90deg, ${this.palette.join(',')})`;
      bar.append(strip);
      for (const value of this.keyTicks()) {
        const tick = element('span', {}, this.keyLabel(value));
        tick.style.left = `${100 * colorPosition(scale, value)}%`;
        bar.append(tick);
      }
      this.key.replaceChildren(element('span', {}, scale.label), bar);
    }

    keyTicks() {
      const { minimum, maximum, centre, log } = this.scale;
      if (centre !== null && log) {
        const steps = Math.round(Math.log2(maximum / minimum));
        return Array.from({ length: steps + 1 }, (_, i) => minimum * 2 ** i);
      }
      const steps = [0, 0.25, 0.5, 0.75, 1];
      return steps.map((s) => (log ? minimum * (maximum / minimum) ** s : minimum + s * (maximum - minimum)));
    }

    keyLabel(value) {
      return this.scale.centre !== null && this.scale.log && value < 1 ? `1/${Math.round(1 / value)}` : number(value, 2);
    }

    // The experts of each row in the order shown.
    orderOf(cells, columns) {
      const order = Array.from({ length: columns }, (_, j) => j);
      return this.sorted ? order.sort((a, b) => cells[b] - cells[a]) : order;
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
      this.cellWidth = Math.min((width - this.left - 2) / columns.length, 56);
      this.cellHeight = clamp(this.cellWidth, Math.max(4, Math.min(20, 170 / rows.length)), 28);
      this.height = this.top + rows.length * this.cellHeight + 38;
      return { context, width };
    }

    draw() {
      const { context, width } = this.layOut();
      if (width === 0) return;
      const ratio = devicePixelRatio || 1;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.canvas.style.height = `${this.height}px`;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.font = this.font;
      this.drawCells(context, ratio);
      this.drawLabels(context);
      const chosen = this.map.selectors.map((s, i) => s.labels[this.chosen[i]]).filter(Boolean).join(', ');
      this.canvas.setAttribute('aria-label', `Heatmap of ${this.scale.label}, ${this.map.rowName} by ${this.map.columnName}: ${chosen}. Arrow keys read single cells.`);
      if (this.cursor) this.drawCursor(context);
    }

    drawCells(context, ratio) {
      const { rows, columns } = this.map, { scale } = this;
      const [first, second] = this.chosen, n = columns.length;
      const begin = (first * this.map.selectors[1].labels.length + second) * rows.length * n;
      const missing = cssColor('--figure-grid');
      const sharp = (v) => Math.round(v * ratio) / ratio;
      this.orders = [];
      this.slice = this.values.subarray(begin, begin + rows.length * n);
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
      const widest = Math.max(...columns.map((label) => context.measureText(label).width)) + 8;
      const columnStride = [1, 2, 5, 10, 20, 50, 100].find((s) => s * this.cellWidth >= widest) ?? 200;
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
      if (!Number.isFinite(value)) return [...lines, ['does not exist']];
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
