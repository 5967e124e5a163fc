# The TLS test is its own server; make net-speed measures the network layer alone.

$(BUILD)/asan/test/unit/test_net_tls: TEST_LIBS += -lssl

NET_SPEED = $(BUILD)/plain/test/net/net_speed

$(NET_SPEED): $(call plain_objs,test/net/net_speed.c $(NET_SRC) $(WIRE_SRC))
	$(TEST_CC) -o $@ $^ $(TEST_LIBS)

.PHONY: net-speed
net-speed: $(NET_SPEED)
	$(NET_SPEED)
