// Keeps the page up to date and draws its chart. What comes from the daemon is only ever put in
// place as text: there is no HTML in here.
'use strict';

(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const PAUSE_MS = 1000;
  const INSIGHT_PAUSE_MS = 10000;
  const PATIENCE_MS = 5000;
  const GAP = '\u202f';
  const NONE = '\u2013';
  const COLOURS = ['one', 'two', 'three'];

  // What the chart shows for each tile: lines by name, and what their figures are.
  const CHARTS = {
    requests: {
      title: 'Requests', form: perSecond, step: 1000, lines: [
        ['gets', (at) => at('gets')],
        ['sets', (at) => at('sets')],
        ['others', (at) => at('others')],
      ],
    },
    hits: {
      title: 'Hit share', form: percent, top: 100, lines: [
        ['of gets', (at) => (at('gets') > 0 ? 100 * at('hits') / at('gets') : null)],
      ],
    },
    items: { title: 'Items', form: count, step: 1000, lines: [['items', (at) => at('items')]] },
    memory: {
      title: 'Memory', form: size, step: 1024, lines: [
        ['in use', (at) => at('used_bytes')],
        ['limit', (at) => at('limit_bytes')],
      ],
    },
    connections: {
      title: 'Connections', form: count, step: 1000,
      lines: [['open', (at) => at('connections')]],
    },
    evictions: {
      title: 'Evictions', form: perSecond, step: 1000,
      lines: [['evicted', (at) => at('evictions')]],
    },
    traffic: {
      title: 'Traffic', form: sizePerSecond, step: 1024, lines: [
        ['received', (at) => at('received_bytes')],
        ['sent', (at) => at('sent_bytes')],
      ],
    },
    cpu: {
      title: 'Processor', form: percent, step: 1000,
      lines: [['of one core', (at) => at('cpu_us') / 10000]],
    },
  };

  // Where labels of the time axis stand, in seconds, by the length of the span.
  const TIME_STEPS = { 60: 15, 900: 180, 3600: 900 };

  const find = (id) => document.getElementById(id);
  const state = {
    chart: 'requests', span: '1m', past: null, cursor: null, timer: 0, asked: 0, heard: null,
    insightAt: 0,
  };

  // Figures, as the daemon writes them in the page.

  function scaled(number, step, units) {
    let index = 0;
    while (number >= step - 0.5 && index + 1 < units.length) {
      number /= step;
      index += 1;
    }
    const whole = index === 0 && Number.isInteger(number);
    const digits = whole || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
    return units[index] ? number.toFixed(digits) + GAP + units[index] : number.toFixed(digits);
  }

  function count(number) {
    return scaled(number, 1000, ['', 'k', 'M', 'G', 'T']);
  }

  function size(number) {
    return scaled(number, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
  }

  function perSecond(number) {
    return count(number) + '/s';
  }

  function sizePerSecond(number) {
    return size(number) + '/s';
  }

  function percent(number) {
    return number.toFixed(number === 0 || number >= 99.95 ? 0 : 1) + GAP + '%';
  }

  function clock(unixSeconds, withSeconds) {
    const date = new Date(unixSeconds * 1000);
    const two = (number) => String(number).padStart(2, '0');
    const minutes = two(date.getHours()) + ':' + two(date.getMinutes());
    return withSeconds ? minutes + ':' + two(date.getSeconds()) : minutes;
  }

  // The document.

  function make(name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
      element.setAttribute(key, value);
    }
    if (text !== undefined) {
      element.textContent = text;
    }
    return element;
  }

  // Text is only touched when it changes, so that what somebody has selected stays selected.
  function say(element, text) {
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }

  function attribute(element, name, value) {
    if (element.getAttribute(name) !== value) {
      element.setAttribute(name, value);
    }
  }

  function showWords(words) {
    const health = find('health');
    say(health, words.health.text);
    attribute(health, 'class', words.health.tone);
    say(find('about'), words.about);
    for (const tile of words.tiles) {
      const element = document.querySelector(`[data-tile="${tile.id}"]`);
      say(element.querySelector('b'), tile.figure);
      say(element.querySelector('i'), tile.unit);
      say(element.querySelector('.note'), tile.note);
      attribute(element.querySelector('path'), 'd', tile.spark);
    }
    showMap(words.map);
    words.tables.forEach(showTable);
  }

  function showMap(segments) {
    const map = find('map');
    while (map.children.length > segments.length) {
      map.lastChild.remove();
    }
    segments.forEach((segment, index) => {
      let group = map.children[index];
      if (!group) {
        group = make('g', {});
        group.append(make('title', {}), make('rect', { height: '100%' }), make('text', { y: '50%' }));
        map.append(group);
      }
      const [title, rect, text] = group.children;
      attribute(group, 'class', segment.class);
      say(title, segment.title);
      attribute(rect, 'x', segment.begin.toFixed(3) + '%');
      attribute(rect, 'width', segment.width.toFixed(3) + '%');
      attribute(text, 'x', (segment.begin + segment.width / 2).toFixed(3) + '%');
      const room = segment.width / 100 * map.clientWidth;
      say(text, room >= 8 * segment.label.length + 6 ? segment.label : '');
    });
  }

  function showTable(words) {
    const table = document.querySelector(`[data-table="${words.id}"]`);
    const section = find(words.id);
    const body = table.tBodies[0];
    const kinds = Array.from(table.tHead.rows[0].cells, (cell) => cell.className);
    say(section.querySelector('.note'), words.note);
    section.querySelector('.empty').hidden = words.rows.length > 0;
    section.querySelector('.wide').hidden = words.rows.length === 0;
    while (body.rows.length > words.rows.length) {
      body.lastElementChild.remove();
    }
    words.rows.forEach((row, index) => {
      const line = body.rows[index] || body.appendChild(newRow(kinds));
      attribute(line, 'class', row.tone);
      row.cells.forEach((cell, column) => {
        const [text, part] = Array.isArray(cell) ? cell : [cell, null];
        const place = line.children[column];
        if (kinds[column] === 'kill') {
          showKill(place, text);
          return;
        }
        say(place.querySelector('span'), text);
        if (part !== null) {
          attribute(place.querySelector('rect'), 'width', part.toFixed(1) + '%');
        }
      });
    });
  }

  // A row may stand for another client than before: what was asked about the old one is void.
  function showKill(place, client) {
    let button = place.querySelector('button');
    if (!button) {
      button = place.appendChild(document.createElement('button'));
      button.addEventListener('click', () => {
        if (isSure(button)) {
          post('client_kill?client=' + encodeURIComponent(button.dataset.client));
        }
      });
    }
    button.hidden = find('changes').hidden;
    if (button.dataset.client !== client) {
      button.dataset.client = client;
      button.dataset.sure = 'Sure?';
      button.classList.remove('sure');
      button.textContent = 'Close';
      button.setAttribute('aria-label', 'Close client ' + client);
    }
  }

  function newRow(kinds) {
    const line = document.createElement('tr');
    kinds.forEach((kind, column) => {
      const cell = document.createElement(column === 0 ? 'th' : 'td');
      cell.className = kind;
      if (column === 0) {
        cell.scope = 'row';
      }
      if (kind === 'bar') {
        const bar = make('svg', { 'aria-hidden': 'true' });
        bar.append(make('rect', { width: '0%', height: '100%' }));
        cell.append(bar);
      }
      cell.append(document.createElement('span'));
      line.append(cell);
    });
    return line;
  }

  // The past: one array for each figure, in step with `time`.

  function takeIn(told, isNew) {
    const past = state.past;
    if (isNew || !past) {
      state.past = { spanS: told.span_s, intervalS: told.interval_s, series: told.series };
      return;
    }
    const time = past.series.time;
    for (const [name, values] of Object.entries(told.series)) {
      past.series[name].push(...values);
    }
    let old = 0;
    while (old < time.length && time[old] <= time[time.length - 1] - past.spanS) {
      old += 1;
    }
    for (const values of Object.values(past.series)) {
      values.splice(0, old);
    }
    if (state.cursor !== null) {
      state.cursor = Math.max(0, state.cursor - old);
    }
  }

  // The chart.

  function roundUp(number, step) {
    if (number <= 0) {
      return 1;
    }
    let unit = 1;
    while (unit * step <= number) {
      unit *= step;
    }
    while (unit * 10 <= number) {
      unit *= 10;
    }
    while (unit > number) {
      unit /= 10;
    }
    return [1, 2, 4, 5, 8, 10].find((factor) => factor * unit >= number) * unit;
  }

  function draw() {
    const plot = find('plot');
    const chart = CHARTS[state.chart];
    const series = state.past ? state.past.series : { time: [] };
    const time = series.time;
    const lines = chart.lines.map(([, figure]) =>
      time.map((_, index) => figure((name) => series[name][index])));
    const box = { width: plot.clientWidth, height: plot.clientHeight - 20, above: 18 };
    const highest = Math.max(0, ...lines.flat().filter((value) => value !== null));
    const top = chart.top || roundUp(highest, chart.step);
    const end = time.length > 0 ? time[time.length - 1] : 0;
    const spanS = state.past ? state.past.spanS : 60;
    const x = (at) => (1 - (end - at) / spanS) * box.width;
    const y = (value) => box.height - (value / top) * (box.height - box.above);
    const parts = [];
    const labels = [];
    for (let quarter = 0; quarter <= 4; quarter += 1) {
      const value = top * quarter / 4;
      const height = Math.round(y(value)) + 0.5;
      parts.push(make('line', { class: 'grid', x1: 0, x2: box.width, y1: height, y2: height }));
      const words = chart.form(value).replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
      labels.push(make('text', { x: 0, y: height - 4 }, words));
    }
    parts.push(...timeLabels(end, spanS, x, box));
    lines.forEach((values, index) => {
      parts.push(make('path', { class: COLOURS[index], d: path(time, values, x, y) }));
    });
    parts.push(...labels);
    const at = state.cursor === null ? time.length - 1 : Math.min(state.cursor, time.length - 1);
    if (state.cursor !== null && at >= 0) {
      const place = x(time[at]);
      parts.push(make('line', { class: 'cross', x1: place, x2: place, y1: 0, y2: box.height }));
    }
    plot.replaceChildren(...parts);
    say(find('chart-title'), chart.title);
    showLegend(chart, lines, time, at);
  }

  function timeLabels(end, spanS, x, box) {
    const labels = [];
    const step = TIME_STEPS[spanS] * (box.width < 480 ? 2 : 1);
    for (let at = end - end % step; at > end - spanS && end > 0; at -= step) {
      const place = x(at);
      const anchor = place > box.width - 30 ? 'end' : place < 30 ? 'start' : 'middle';
      const words = { x: place, y: box.height + 16, 'text-anchor': anchor };
      labels.push(make('text', words, clock(at, spanS <= 60)));
    }
    return labels;
  }

  // Where nothing is known for a while there is no line.
  function path(time, values, x, y) {
    let words = '';
    let before = null;
    values.forEach((value, index) => {
      if (value === null) {
        before = null;
        return;
      }
      const isNext = before !== null && time[index] - before <= 3 * state.past.intervalS;
      words += `${isNext ? 'L' : 'M'}${x(time[index]).toFixed(1)} ${y(value).toFixed(1)}`;
      before = time[index];
    });
    return words;
  }

  function showLegend(chart, lines, time, at) {
    const legend = find('legend');
    const told = chart.lines.map(([name], index) => {
      const value = at >= 0 ? lines[index][at] : undefined;
      const isKnown = value !== null && value !== undefined;
      return [COLOURS[index], `${name} ${isKnown ? chart.form(value) : NONE}`];
    });
    if (state.cursor !== null && at >= 0) {
      told.push(['time', 'at ' + clock(time[at], true)]);
    }
    while (legend.children.length > told.length) {
      legend.lastChild.remove();
    }
    told.forEach(([name, text], index) => {
      let line = legend.children[index];
      if (!line) {
        line = legend.appendChild(document.createElement('li'));
        line.append(document.createElement('span'));
      }
      attribute(line, 'class', name);
      say(line.firstChild, text);
    });
  }

  function pointAt(place) {
    const time = state.past ? state.past.series.time : [];
    if (time.length === 0) {
      return null;
    }
    const share = place / Math.max(1, find('plot').clientWidth);
    const wanted = time[time.length - 1] - (1 - share) * state.past.spanS;
    let best = 0;
    time.forEach((at, index) => {
      if (Math.abs(at - wanted) < Math.abs(time[best] - wanted)) {
        best = index;
      }
    });
    return best;
  }

  function moveCursor(to) {
    state.cursor = to;
    draw();
  }

  function step(event) {
    const last = state.past ? state.past.series.time.length - 1 : -1;
    const at = state.cursor === null ? last : state.cursor;
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, Escape: null,
    }[event.key];
    if (to === undefined || last < 0) {
      return;
    }
    event.preventDefault();
    moveCursor(to === null ? null : Math.max(0, Math.min(last, to)));
  }

  // Asking.

  async function ask(path) {
    // An address with a password in it, which somebody may have typed, is none that may be asked.
    const answer = await fetch(new URL(path, location.origin), {
      cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) {
      throw new Error(answer.status === 401 ? 'it wants the token again' : 'it answers ' + answer.status);
    }
    return answer.json();
  }

  async function update(isNew) {
    clearTimeout(state.timer);
    state.asked += 1;
    const number = state.asked;
    const times = state.past ? state.past.series.time : [];
    const since = isNew || times.length === 0 ? 0 : times[times.length - 1];
    try {
      const [words, told] = await Promise.all([
        ask('/api/v1/page'), ask(`/api/v1/history?span=${state.span}&since=${since}`),
      ]);
      if (number !== state.asked) {
        return;
      }
      takeIn(told, since === 0);
      showWords(words);
      offerChanges(words.changes);
      draw();
      if (Date.now() - state.insightAt >= INSIGHT_PAUSE_MS) {
        state.insightAt = Date.now();
        (await ask('/api/v1/page?part=insight')).tables.forEach(showTable);
      }
      hear(null);
    } catch (error) {
      if (number !== state.asked) {
        return;
      }
      hear(error instanceof TypeError ? 'it does not answer' : error.message);
    }
    if (!document.hidden) {
      state.timer = setTimeout(update, PAUSE_MS, false);
    }
  }

  // Changes. They are only offered where there is a token, which the browser shows by itself.

  function offerChanges(now) {
    const changes = find('changes');
    if (!now || !changes.hidden) {
      return;
    }
    changes.hidden = false;
    changes.querySelector('[name=megabytes]').value = now.megabytes;
    changes.querySelector('[name=level]').value = now.level;
  }

  function change(event) {
    event.preventDefault();
    const form = event.target;
    if (!isSure(form.querySelector('button'))) {
      return;
    }
    const query = new URLSearchParams(new FormData(form)).toString();
    post(form.dataset.change + (query && '?' + query));
  }

  // What cannot be undone is asked twice.
  function isSure(button) {
    if (!button.dataset.sure) {
      return true;
    }
    const wasAsked = button.classList.toggle('sure') === false;
    [button.textContent, button.dataset.sure] = [button.dataset.sure, button.textContent];
    if (!wasAsked) {
      setTimeout(() => button.classList.contains('sure') && isSure(button), PATIENCE_MS);
    }
    return wasAsked;
  }

  async function post(path) {
    const told = find('told');
    try {
      const answer = await fetch(new URL('/api/v1/' + path, location.origin), {
        method: 'POST', cache: 'no-store', credentials: 'same-origin',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const words = (await answer.text()).trim();
      told.textContent = answer.ok ? `Done: ${words}.` : `Not done: ${words}.`;
    } catch (error) {
      told.textContent = 'Not done: the daemon does not answer.';
    }
    state.insightAt = 0;
    update(false);
  }

  // What is told changes only when something has changed: it is read aloud.
  function hear(trouble) {
    const live = find('live');
    if (trouble === null) {
      state.heard = Date.now() / 1000;
      say(live, 'Live.');
      attribute(live, 'class', '');
      return;
    }
    const since = state.heard === null ? '' : ' since ' + clock(state.heard, true);
    say(live, `Not live${since}: ${trouble}. Trying again.`);
    attribute(live, 'class', 'bad');
  }

  function begin() {
    const tiles = find('tiles');
    for (const input of tiles.querySelectorAll('input')) {
      input.hidden = false;
      input.disabled = false;
      input.checked = input.value === state.chart;
    }
    tiles.addEventListener('change', (event) => {
      state.chart = event.target.value;
      moveCursor(null);
    });
    find('spans').addEventListener('change', (event) => {
      state.span = event.target.value;
      state.cursor = null;
      update(true);
    });
    find('changes').addEventListener('submit', change);
    const plot = find('plot');
    plot.addEventListener('pointermove', (event) => moveCursor(pointAt(event.offsetX)));
    plot.addEventListener('pointerleave', () => moveCursor(null));
    plot.addEventListener('keydown', step);
    plot.addEventListener('blur', () => moveCursor(null));
    find('chart').hidden = false;
    new ResizeObserver(draw).observe(plot);
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) {
        update(false);
      }
    });
    update(true);
  }

  begin();
})();
