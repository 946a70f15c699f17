# dalli, for which the application finds the nodes; see application.py for the lines of its input.

require "dalli"
require "socket"

HOST, PORT = ARGV[0].split(":")

# The nodes that the endpoint names, as dalli wants them.
def discover
  TCPSocket.open(HOST, PORT.to_i) do |socket|
    socket.write("config get cluster\r\n")
    header, _version, nodes = Array.new(3) { socket.gets }
    raise header unless header.start_with?("CONFIG cluster 0 ")
    nodes.split.map { |node| node.split("|").values_at(0, 2).join(":") }
  end
end

def settle(count)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 20
  loop do
    nodes = discover
    late = Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    return nodes if nodes.length == count || late
    sleep 0.02
  end
end

client = nil
$stdout.sync = true
$stdin.each_line do |line|
  command, word = line.split
  keys = (0...word.to_i).map { |number| ["key:#{number}", "value #{number}"] }
  case command
  when "nodes"
    nodes = settle(word.to_i)
    client = Dalli::Client.new(nodes)
    puts nodes.sort.join(",")
  when "store"
    keys.each { |key, value| client.set(key, value, nil, raw: true) }
    puts "stored"
  else
    puts(keys.count { |key, value| client.get(key) == value })
  end
end
